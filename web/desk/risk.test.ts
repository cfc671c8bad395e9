// The risk of a policy, as the desk shows it: only "admit and reconcile" has one.
import { expect, it } from 'vitest'
import { aboutSo, expectedDoubles } from './risk.ts'

const risk = { copied: 100, gates: 4, offline: 0.5 }

it('grows with the gates and the time offline', () => {
  expect(expectedDoubles('any', risk)).toBeCloseTo(100 * 0.75 * 0.75)
  expect(expectedDoubles('any', { ...risk, offline: 0 })).toBe(0)
  expect(expectedDoubles('any', { ...risk, offline: 1 })).toBeCloseTo(75)
})

it('is none at a single gate, and with the policies that promise it', () => {
  expect(expectedDoubles('any', { ...risk, gates: 1 })).toBe(0)
  expect(expectedDoubles('lease', risk)).toBe(0)
  expect(expectedDoubles('refuse', risk)).toBe(0)
})

it('is no more precise than its guess', () => {
  expect([0, 0.2, 3.4, 56.25].map(aboutSo)).toEqual(['0', '< 1', '3', '55'])
})
