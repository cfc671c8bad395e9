// A code that stays in front of the camera is one presentation, not twelve a second.

const HOLD_MS = 3_000
const KEPT = 8

type Sight = { kind: 'new' } | { kind: 'repeat'; firstSeenAt: number }

export class RepeatFilter {
  readonly #seen = new Map<string, { firstAt: number; lastAt: number }>()

  /** New when the code was out of view for longer than the hold time; each sight extends the hold. */
  see(code: string, at: number): Sight {
    const before = this.#seen.get(code)
    if (before && at - before.lastAt <= HOLD_MS) {
      before.lastAt = at
      return { kind: 'repeat', firstSeenAt: before.firstAt }
    }
    this.#seen.delete(code)
    this.#seen.set(code, { firstAt: at, lastAt: at })
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= KEPT) break
      this.#seen.delete(oldest)
    }
    return { kind: 'new' }
  }
}
