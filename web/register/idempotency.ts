// One key per form: drawn when the form opens, kept until the server said yes, so that no retry makes a second ticket.

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const name = (slug: string) => `admit-registration-${slug}`

export function idempotencyKey(slug: string, store: Store, draw: () => string): string {
  const kept = store.getItem(name(slug))
  if (kept) return kept
  const drawn = draw()
  store.setItem(name(slug), drawn)
  return drawn
}

/** After success, or when the server says that the key belongs to other input: the next form is another one. */
export function forgetIdempotencyKey(slug: string, store: Store): void {
  store.removeItem(name(slug))
}
