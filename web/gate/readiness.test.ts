// Ready means that the network may go now; of several warnings the worst is shown.
import { expect, it } from 'vitest'
import type { GateSetup } from '../lib/api/types.ts'
import { ago, type Facts, readinessOf } from './readiness.ts'
import type { CoreStatus } from './state.ts'

const HOUR = 3_600_000
const status: CoreStatus = {
  ...{ pending: 0, known: 0, cursor: 0, low_ms: 0, high_ms: null, turned_back_ms: 0 },
  last_contact_ms: 1_000_000,
  guess_ms: 1_012_000,
}
const fine: Facts = {
  status,
  setup: { event: { offline_hours: 4 } } as GateSetup,
  keeps: true,
  persisted: true,
  shellKept: true,
}
const old = (hours: number) => ({ ...status, guess_ms: status.guess_ms + hours * HOUR })

it('is ready with rules, a fresh contact, a sound disk and its shell', () => {
  expect(readinessOf(fine)).toEqual({ ready: true, ageMs: 12_000, limitMs: 4 * HOUR, warning: null })
})

it.each<[string, Partial<Facts>]>([
  ['the rules', { status: null }],
  ['a contact', { status: { ...status, last_contact_ms: null } }],
  ['a contact in time', { status: old(4.1) }],
  ['a disk', { keeps: false }],
  ['the shell', { shellKept: false }],
])('is not ready without %s', (_what, part) => {
  expect(readinessOf({ ...fine, ...part }).ready).toBe(false)
})

it.each<[string | null, Partial<Facts>]>([
  ['disk', { keeps: false, status: null, persisted: false }],
  ['rules', { status: null, persisted: false }],
  ['stale', { status: { ...old(2.1), turned_back_ms: HOUR }, persisted: false }],
  ['clock', { status: { ...status, turned_back_ms: HOUR }, persisted: false }],
  ['storage', { persisted: false }],
  [null, { status: old(1.9) }],
  [null, { persisted: null }],
])('warns of %s first', (warning, part) => {
  expect(readinessOf({ ...fine, ...part }).warning).toBe(warning)
})

it('says times as a steward needs them', () => {
  expect([400, 12_000, 300_000, 5 * HOUR, 72 * HOUR].map(ago)).toEqual(['0 s', '12 s', '5 min', '5 h', '3 d'])
})
