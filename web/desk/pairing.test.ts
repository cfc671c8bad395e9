// The countdown, and the device that has just come.
import { expect, it } from 'vitest'
import type { Device } from '../lib/api/types.ts'
import { countdown, newlyPaired } from './pairing.ts'

const device = (id: number, name: string): Device => ({
  id,
  name,
  gate: null,
  paired_at: '',
  platform: '',
  revoked_at: null,
  state: null,
  unconfirmed: 0,
})

it('counts down to zero and not further', () => {
  expect(countdown(245_000)).toBe('4:05')
  expect(countdown(1)).toBe('0:01')
  expect(countdown(-5_000)).toBe('0:00')
})

it('finds the new device', () => {
  const before = [device(1, 'Phone')]
  expect(newlyPaired(before, before, 'Phone')).toBeNull()
  expect(newlyPaired(before, [...before, device(2, 'Other'), device(3, 'Phone')], 'Phone')?.id).toBe(3)
  expect(newlyPaired(before, [...before, device(2, 'Renamed')], 'Phone')?.id).toBe(2)
})
