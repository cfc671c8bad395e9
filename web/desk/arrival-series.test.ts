// The chart's minutes have no gaps.
import { expect, it } from 'vitest'
import { arrivalSeries } from './arrival-series.ts'

it('fills the gaps up to now', () => {
  const arrivals = [
    { minute: '2026-11-21T17:00:00Z', count: 4 },
    { minute: '2026-11-21T18:00:00Z', count: 9 },
  ]
  const { seconds, counts } = arrivalSeries(arrivals, '2026-11-21T18:05:30.000Z')
  expect(seconds).toHaveLength(66)
  expect(counts[0]).toBe(4)
  expect(counts[60]).toBe(9)
  expect(counts[65]).toBe(0)
  expect(seconds[60]).toBe(Date.parse('2026-11-21T18:00:00Z') / 1000)
})

it('shows half an hour when the doors have just opened', () => {
  const { counts } = arrivalSeries([{ minute: '2026-11-21T18:05:00Z', count: 1 }], '2026-11-21T18:05:30.000Z')
  expect(counts).toHaveLength(30)
  expect(counts.at(-1)).toBe(1)
})
