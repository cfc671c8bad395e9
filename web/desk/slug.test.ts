// Addresses from names.
import { expect, it } from 'vitest'
import { slugFrom } from './slug.ts'

it('keeps letters and digits', () => {
  expect(slugFrom('Über & Jazz 2026')).toBe('uber-jazz-2026')
  expect(slugFrom('  Straße!  ')).toBe('strasse')
  expect(slugFrom('東京')).toBe('')
  expect(slugFrom(`${'a'.repeat(59)} b`)).toBe('a'.repeat(59))
})
