// The registration key outlives reloads and dies with success.
import { expect, it } from 'vitest'
import { forgetIdempotencyKey, idempotencyKey } from './idempotency.ts'

function memory() {
  const values = new Map<string, string>()
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  }
}

it('keeps the key until success, and one per event', () => {
  const store = memory()
  let drawn = 0
  const draw = () => `key-${++drawn}`
  const first = idempotencyKey('jazz', store, draw)
  expect(idempotencyKey('jazz', store, draw)).toBe(first)
  expect(idempotencyKey('opera', store, draw)).not.toBe(first)
  forgetIdempotencyKey('jazz', store)
  expect(idempotencyKey('jazz', store, draw)).not.toBe(first)
  expect(drawn).toBe(3)
})
