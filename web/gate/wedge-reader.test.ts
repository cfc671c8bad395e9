// Hand scanners against people at the keyboard.
import { expect, it } from 'vitest'
import { WedgeReader } from './wedge-reader.ts'

function type(reader: WedgeReader, text: string, gap: number, from = 0): number {
  let at = from
  for (const key of text) {
    reader.key(key, at)
    at += gap
  }
  return at
}

it('reads a long code however long it takes in total', () => {
  const reader = new WedgeReader()
  const code = `A1:${'Q7 %'.repeat(120)}`
  const at = type(reader, code, 90)
  expect(at).toBeGreaterThan(40_000)
  expect(reader.key('Enter', at)).toEqual({ kind: 'code', code })
})

it('takes Tab for a suffix, and reads again after it', () => {
  const reader = new WedgeReader()
  expect(reader.key('Tab', type(reader, 'A1:XYZ', 5))).toEqual({ kind: 'code', code: 'A1:XYZ' })
  expect(reader.key('Enter', type(reader, 'A1:ABC', 5, 1000))).toEqual({ kind: 'code', code: 'A1:ABC' })
})

it('takes CR LF from one reader as one code', () => {
  const reader = new WedgeReader()
  const at = type(reader, 'A1:XYZ', 5)
  expect(reader.key('Enter', at).kind).toBe('code')
  expect(reader.key('Enter', at + 5).kind).toBe('part')
  expect(reader.key('Enter', at + 900).kind).toBe('other')
})

it('does not take a person for a reader', () => {
  const reader = new WedgeReader()
  expect(reader.key('Enter', type(reader, 'hello there', 180)).kind).toBe('other')
})

it('forgets what was typed before a pause', () => {
  const reader = new WedgeReader()
  const at = type(reader, 'rubbish', 20)
  expect(reader.key('Enter', type(reader, 'A1:XYZ', 20, at + 500))).toEqual({ kind: 'code', code: 'A1:XYZ' })
})

it('keeps out of the way of single keys, and owns the rest of a burst', () => {
  const reader = new WedgeReader()
  expect(reader.key(' ', 0).kind).toBe('other')
  expect(reader.key('Enter', 20).kind).toBe('other')
  expect(reader.key('A', 5000).kind).toBe('other')
  expect(reader.key(' ', 5010).kind).toBe('part')
  expect(reader.key('Shift', 5015).kind).toBe('other')
  expect(reader.key('B', 5020).kind).toBe('part')
  expect(reader.key('1', 5030).kind).toBe('part')
  expect(reader.key('Enter', 5040)).toEqual({ kind: 'code', code: 'A B1' })
})
