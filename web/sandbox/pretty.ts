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

/** The first letters of a hash, for people. */
export const short = (hash: string): string => (hash.length > 12 ? `${hash.slice(0, 12)}…` : hash)
