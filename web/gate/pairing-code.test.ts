// The pairing link's code leaves the address at once.
import { expect, it, vi } from 'vitest'
import { groupCode, isWholeCode, takePairingFragment } from './pairing-code.ts'

it('takes the code and cleans the address', () => {
  const replaceState = vi.fn()
  const location = { hash: '#pair=abcd-EFGH-1234-5678', pathname: '/gate/', search: '' }
  expect(takePairingFragment(location, { replaceState })).toBe('ABCD-EFGH-1234-5678')
  expect(replaceState).toHaveBeenCalledWith(null, '', '/gate/')
})

it('cleans the address of rubbish too, and takes nothing from it', () => {
  const replaceState = vi.fn()
  expect(
    takePairingFragment({ hash: '#pair=<script>', pathname: '/gate/', search: '' }, { replaceState }),
  ).toBeNull()
  expect(replaceState).toHaveBeenCalledOnce()
})

it('writes a typed code in groups', () => {
  expect(groupCode('abcdefgh12345678zzz')).toBe('ABCD-EFGH-1234-5678')
  expect(isWholeCode('ABCD-EFGH-1234-5678')).toBe(true)
  expect(isWholeCode('ABCD-EFGH')).toBe(false)
})
