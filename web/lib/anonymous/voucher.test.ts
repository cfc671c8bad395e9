// Voucher codes: slips are noticed, and the way of writing does not matter.
import { expect, it } from 'vitest'
import { readVoucher } from './voucher.ts'

const SIGNS = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'

/** Seventeen signs and the one that makes the weighted sum a multiple of 31. */
function withCheck(body: string): string {
  const sum = [...body].reduce((total, sign, at) => total + (at + 1) * SIGNS.indexOf(sign), 0)
  const last = [...SIGNS].find((_, value) => (sum + 18 * value) % 31 === 0) ?? ''
  return `${body.slice(0, 6)}-${body.slice(6, 12)}-${body.slice(12)}${last}`
}

const code = withCheck('K7M2PQ9RTWXYZ3456')

it('reads a code however it is written', () => {
  expect(readVoucher(code)).toBe(code)
  expect(readVoucher(` ${code.toLowerCase().replaceAll('-', ' ')} `)).toBe(code)
})

it('reads a code out of a link', () => {
  expect(readVoucher(`https://tickets.test/ticket/#voucher=${code}`)).toBe(code)
})

it('notices every single wrong sign', () => {
  for (let at = 0; at < code.length; at += 1) {
    for (const sign of SIGNS) {
      if (code[at] === '-' || code[at] === sign) continue
      expect(readVoucher(code.slice(0, at) + sign + code.slice(at + 1))).toBeNull()
    }
  }
})

it('notices two that changed places', () => {
  const swapped = `${code.slice(0, 1)}${code[2]}${code[1]}${code.slice(3)}`
  expect(readVoucher(swapped)).toBeNull()
})

it('takes nothing of another length', () => {
  for (const text of ['', code.slice(1), `${code}2`]) expect(readVoucher(text)).toBeNull()
})
