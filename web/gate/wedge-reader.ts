// Hand scanners type like a keyboard: fast keys, then Enter or Tab. Told from people by the gap between keys alone,
// since our codes are long and a total time limit would cut them off.

const MAX_GAP_MS = 100
const MIN_LENGTH = 4
const MAX_LENGTH = 2048

type WedgeStep = { kind: 'other' } | { kind: 'part' } | { kind: 'code'; code: string }

export class WedgeReader {
  #typed = ''
  #lastAt = Number.NEGATIVE_INFINITY
  #justRead = false

  /** 'part' and 'code' mean that the key belongs to the reader: the page must not act on it. */
  key(key: string, at: number): WedgeStep {
    if (key === 'Shift' || key === 'CapsLock' || key === 'AltGraph') return { kind: 'other' }
    const inTime = at - this.#lastAt <= MAX_GAP_MS
    this.#lastAt = at
    const afterCode = inTime && this.#justRead
    if (key === 'Enter' || key === 'Tab') {
      const code = inTime ? this.#typed : ''
      this.#typed = ''
      this.#justRead = code.length >= MIN_LENGTH
      if (this.#justRead) return { kind: 'code', code }
      return { kind: afterCode ? 'part' : 'other' }
    }
    if (key.length !== 1) {
      this.#typed = ''
      // Some readers end with CR LF, which phones see as Enter and one more key.
      return { kind: afterCode ? 'part' : 'other' }
    }
    this.#justRead = false
    const follows = inTime && this.#typed !== ''
    this.#typed = (inTime ? this.#typed : '') + key
    if (this.#typed.length > MAX_LENGTH) this.#typed = this.#typed.slice(0, MAX_LENGTH)
    return follows ? { kind: 'part' } : { kind: 'other' }
  }
}
