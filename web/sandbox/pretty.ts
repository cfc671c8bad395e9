// JSON for reading: indented, with very long texts cut. Copying gives the whole.

const TEXT_MAX = 180
const TEXT_HEAD = 120

export const whole = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2)

export const pretty = (value: unknown): string => {
  if (typeof value === 'string') return value
  const short = (_key: string, inner: unknown) =>
    typeof inner === 'string' && inner.length > TEXT_MAX
      ? `${inner.slice(0, TEXT_HEAD)}… (${inner.length} characters)`
      : inner
  return JSON.stringify(value, short, 2)
}

const ITEMS_MAX = 100
const KEPT_TEXT_MAX = 20_000

/** A value without the ends of very long lists and texts in it, so that a session stays small. */
export function trimmed(value: unknown): unknown {
  if (typeof value === 'string') {
    const over = value.length > KEPT_TEXT_MAX
    return over ? `${value.slice(0, KEPT_TEXT_MAX)}… (${value.length} characters)` : value
  }
  if (Array.isArray(value)) {
    const kept: unknown[] = value.slice(0, ITEMS_MAX).map(trimmed)
    return value.length > ITEMS_MAX ? [...kept, `… (${value.length} in all)`] : kept
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, trimmed(inner)]))
}

/** The first letters of a hash, for people. */
export const short = (hash: string): string => (hash.length > 12 ? `${hash.slice(0, 12)}…` : hash)
