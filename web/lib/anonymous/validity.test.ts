// A ticket's time, as people read it.
import { expect, it } from 'vitest'
import { spanOf, validityOf } from './validity.ts'

const terms = { notBefore: '2026-11-30T23:00:00Z', expires: '2026-12-01T23:00:00Z', zone: 'Europe/Berlin' }
const at = (text: string) => validityOf(terms, Date.parse(text))

it('says from when it is good', () => {
  expect(at('2026-11-30T22:59:59Z')).toMatchObject({
    state: 'early',
    text: 'Valid from Tue, 1 December 2026, 00:00',
  })
})

it('says how long it is good', () => {
  expect(at('2026-12-01T20:00:00Z')).toMatchObject({ state: 'valid', text: 'Valid, expires in 3 hours' })
})

it('ends with the very second', () => {
  expect(at('2026-12-01T22:59:59Z').state).toBe('valid')
  expect(at('2026-12-01T23:00:00Z').state).toBe('over')
})

it('counts in the unit that people say', () => {
  expect([30_000, 90 * 60_000, 5 * 3_600_000, 3 * 86_400_000].map(spanOf)).toEqual([
    '1 minute',
    '90 minutes',
    '5 hours',
    '3 days',
  ])
})
