// One presentation while the code stays in view, another one when it comes back.
import { expect, it } from 'vitest'
import { RepeatFilter } from './repeat-filter.ts'

it('holds as long as the code is in view, however long that is', () => {
  const filter = new RepeatFilter()
  expect(filter.see('a', 0)).toEqual({ kind: 'new' })
  for (let at = 100; at < 20_000; at += 100)
    expect(filter.see('a', at)).toEqual({ kind: 'repeat', firstSeenAt: 0 })
})

it('is a new presentation after the code was away', () => {
  const filter = new RepeatFilter()
  filter.see('a', 0)
  expect(filter.see('a', 3_001)).toEqual({ kind: 'new' })
})

it('tells two codes apart that are in view together', () => {
  const filter = new RepeatFilter()
  expect(filter.see('a', 0).kind).toBe('new')
  expect(filter.see('b', 100).kind).toBe('new')
  expect(filter.see('a', 200).kind).toBe('repeat')
  expect(filter.see('b', 300).kind).toBe('repeat')
})

it('keeps only a few codes', () => {
  const filter = new RepeatFilter()
  filter.see('first', 0)
  for (let index = 0; index < 20; index++) filter.see(`code ${index}`, index)
  expect(filter.see('first', 30).kind).toBe('new')
})
