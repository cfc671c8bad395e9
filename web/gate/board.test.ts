// @vitest-environment happy-dom
// Who leaves is counted apart from who enters.
import { signal } from '@preact/signals'
import { expect, it, vi } from 'vitest'
import type { Verdict } from '../lib/api/types.ts'
import { Board } from './board.ts'
import type { Scan, ScanState } from './scan.ts'

it('counts exits apart from entries, and not who was let out unrecorded', () => {
  const [entries, exits] = [signal({ admitted: 0, refused: 0 }), signal({ admitted: 0, refused: 0 })]
  const keep = vi.fn()
  const board = new Board(entries, undefined, exits, keep)
  const told = (scanId: string, state: ScanState, direction?: 'exit') => {
    const scan: Scan = { scanId, code: '', gate: 1, at: '2026-11-21T18:00:00Z', state, resumed: false }
    board.changed(direction ? { ...scan, direction } : scan)
  }
  const answered = (verdict: 'admit' | 'refuse'): ScanState => ({
    kind: 'answered',
    verdict: { verdict, reason: null, ticket: null, use: null, undo_until: null } as Verdict,
  })
  told('in', answered('admit'))
  told('out', answered('admit'), 'exit')
  told('again', answered('refuse'), 'exit')
  told('unheard', { kind: 'let_out', why: 'offline' }, 'exit')
  expect(entries.value).toEqual({ admitted: 1, refused: 0 })
  expect(exits.value).toEqual({ admitted: 1, refused: 1 })
  expect(keep).toHaveBeenLastCalledWith(exits.value)
})
