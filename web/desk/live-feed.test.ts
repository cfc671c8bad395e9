// The live feed loses no scan and shows none twice.
import { expect, it } from 'vitest'
import type { Scan, Stats } from '../lib/api/types.ts'
import { applyScans, applySnapshot, emptyFeed } from './live-feed.ts'

const stats = { admitted: 1 } as Stats
const scan = (seq: number | null, verdict: Scan['verdict'] = 'admit') => ({ seq, verdict }) as Scan
const seqs = (scans: Scan[]) => scans.map(({ seq }) => seq)

it('takes a snapshot newest first', () => {
  const state = applySnapshot({ stats, scans: [scan(3), scan(2, 'refuse'), scan(1)] })
  expect(seqs(state.scans)).toEqual([3, 2, 1])
  expect(seqs(state.refusals)).toEqual([2])
})

it('puts further scans, oldest first, on top', () => {
  const state = applyScans(applySnapshot({ stats, scans: [scan(1)] }), { stats, scans: [scan(2), scan(3)] })
  expect(seqs(state.scans)).toEqual([3, 2, 1])
})

it('shows a scan once when a resume brings it again', () => {
  const before = applySnapshot({ stats, scans: [scan(2, 'refuse'), scan(1)] })
  const state = applyScans(before, { stats, scans: [scan(2, 'refuse'), scan(3)] })
  expect(seqs(state.scans)).toEqual([3, 2, 1])
  expect(seqs(state.refusals)).toEqual([2])
})

it('keeps scans without a number: codes that were never a ticket', () => {
  const state = applyScans(applyScans(emptyFeed, { stats, scans: [scan(null, 'refuse')] }), {
    stats,
    scans: [scan(null, 'refuse')],
  })
  expect(state.refusals).toHaveLength(2)
})

it('keeps refusals in sight through a rush', () => {
  let state = applySnapshot({ stats, scans: [scan(1, 'refuse')] })
  state = applyScans(state, { stats, scans: Array.from({ length: 500 }, (_, index) => scan(index + 2)) })
  expect(state.scans).toHaveLength(100)
  expect(state.scans[0]?.seq).toBe(501)
  expect(seqs(state.refusals)).toEqual([1])
})
