// Entries on a line of time: in their order, none on top of another, and the far ones far.
import { expect, it } from 'vitest'
import { duration, spread } from './doubles.ts'

it('spreads moments over the line by their distance', () => {
  expect(spread([0, 100], 0.6)).toEqual([0, 1])
  const [, near, far] = spread([0, 1, 100], 0.3)
  expect(near).toBeCloseTo(0.304)
  expect(far).toBe(1)
})

it('keeps entries of one moment apart, and one alone in its place', () => {
  expect(spread([5, 5], 0.6)).toEqual([0, 0.6])
  expect(spread([5], 0)).toEqual([0])
})

it('says how far apart in words', () => {
  expect([4_200, 600_000, 7_500_000].map(duration)).toEqual(['4 s', '10 min', '2 h 5 min'])
})
