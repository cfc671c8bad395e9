// Every address of tickets without a name leads to its page, and no other does.
import { expect, it } from 'vitest'
import { anonymousRoute } from './anonymous-route.ts'

it('knows its addresses', () => {
  expect(anonymousRoute('#buy=river-night')).toEqual({ page: 'buy', event: 'river-night' })
  expect(anonymousRoute('#voucher')).toEqual({ page: 'voucher', code: '' })
  expect(anonymousRoute('#voucher=ABCDEF-GHJKMN-PQRSTU')).toEqual({
    page: 'voucher',
    code: 'ABCDEF-GHJKMN-PQRSTU',
  })
  expect(anonymousRoute('#purchase=aB_-9')).toEqual({ page: 'purchase', id: 'aB_-9' })
  expect(anonymousRoute('#token=55H4Y-ATZYQ-HMGR')).toEqual({ page: 'token', number: '55H4Y-ATZYQ-HMGR' })
  expect(anonymousRoute('#paid')).toEqual({ page: 'returned', paid: true })
  expect(anonymousRoute('#unpaid')).toEqual({ page: 'returned', paid: false })
  expect(anonymousRoute('#backup')).toEqual({ page: 'backup' })
})

it('takes nothing else for one', () => {
  for (const hash of [
    '',
    '#',
    '#buy',
    '#buy=',
    '#purchase',
    '#adm1_ticket_abcdefgh',
    '#buyer=x',
    '#token=<b>',
  ]) {
    expect(anonymousRoute(hash)).toBeNull()
  }
})
