// Prices as people type them.
import { expect, it } from 'vitest'
import { centsOf } from './sale-fields.tsx'

it('reads prices with a point, a comma, or neither', () => {
  expect(['4.50', '4,5', '4', '0', '19.99', '0.05'].map(centsOf)).toEqual([450, 450, 400, 0, 1999, 5])
})

it('takes nothing else for a price', () => {
  for (const text of ['', '-1', '4.505', '1e3', '4.', '€4', '1234567']) expect(centsOf(text)).toBeNull()
})
