// Which steps of a purchase are behind it.
import { expect, it } from 'vitest'
import { begun, type Purchase } from '../lib/anonymous/purchase.ts'
import { stepsDone } from './purchase-steps.tsx'

const wish = { ticketType: 3, day: null, quantity: 1 }
const order = { quantity: 1 } as Purchase['order']
const blank = { signed: null } as Purchase['blanks'][number]
const purchase = (facts: Partial<Purchase>) => ({ ...begun('one', 'STRIPE', 'jazz', { wish }), ...facts })

it('counts what is known, and nothing that is hoped for', () => {
  const signed = { ...blank, signed: new Uint8Array(1) }
  expect(
    [
      purchase({}),
      purchase({ order }),
      purchase({ order, blanks: [blank] }),
      purchase({ order, blanks: [blank], receipt: 'r' }),
      purchase({ order, blanks: [signed], receipt: 'r' }),
    ].map(stepsDone),
  ).toEqual([0, 1, 2, 3, 4])
})
