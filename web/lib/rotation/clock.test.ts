// The server's time on phones whose clocks are wrong, and on phones whose clocks are turned.
import { expect, it } from 'vitest'
import { reckoned, span, told } from './clock.ts'

const NOON = 1_800_000_000_000
const MINUTE = 60_000

it('takes the server’s time on a phone that is wrong', () => {
  const known = told(undefined, NOON, NOON + 10 * MINUTE)
  expect(reckoned(known, NOON + 11 * MINUTE).newest).toBe(NOON + MINUTE)
})

it('takes the phone’s time as long as no server said anything', () => {
  expect(reckoned(undefined, NOON).newest).toBe(NOON)
})

it('never goes back when the phone is turned back', () => {
  const known = reckoned(told(undefined, NOON, NOON), NOON + MINUTE)
  expect(reckoned(known, NOON - 60 * MINUTE).newest).toBe(NOON + MINUTE)
})

it('comes back to the server’s time after the phone was turned ahead', () => {
  const ahead = reckoned(told(undefined, NOON, NOON), NOON + 60 * MINUTE)
  expect(told(ahead, NOON + MINUTE, NOON + 60 * MINUTE).newest).toBe(NOON + MINUTE)
})

it('does not go back by the seconds that an answer was on its way', () => {
  const known = reckoned(told(undefined, NOON, NOON), NOON + 5_000)
  expect(told(known, NOON + 3_000, NOON + 5_000).newest).toBe(NOON + 5_000)
})

it('says how much a clock is wrong', () => {
  expect([span(600_000), span(-45_000), span(3 * 60 * MINUTE)]).toEqual(['10 min', '45 s', '3 h'])
})
