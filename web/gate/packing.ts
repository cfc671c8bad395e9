// Text packed for QR codes: deflated, in the letters that QR codes hold best (base45), and cut into parts that a phone reads at ease.

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
/** Whole groups of three letters: the third is never a space, which readers would trim. */
const PART_LETTERS = 558

export function base45(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 2) {
    const pair = at + 1 < bytes.length
    let value = pair ? (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0) : (bytes[at] ?? 0)
    for (let count = pair ? 3 : 2; count > 0; count--) {
      text += letters[value % 45]
      value = Math.floor(value / 45)
    }
  }
  return text
}

/** Throws for what is not base45. */
export function fromBase45(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = []
  for (let at = 0; at < text.length; at += 3) {
    const [a, b, c] = [...text.slice(at, at + 3)].map(letter => {
      const value = letters.indexOf(letter)
      if (value < 0) throw new Error('not base45')
      return value
    })
    if (a === undefined || b === undefined) throw new Error('not base45')
    const value = a + b * 45 + (c ?? 0) * 2025
    if (value > (c === undefined ? 0xff : 0xffff)) throw new Error('not base45')
    if (c === undefined) bytes.push(value)
    else bytes.push(value >> 8, value & 0xff)
  }
  return Uint8Array.from(bytes)
}

/** Longest text that is unpacked: a code of a stranger must not fill the memory. */
const UNPACKED_MAX = 200_000

async function through(stream: CompressionStream | DecompressionStream, bytes: Uint8Array<ArrayBuffer>) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for (let size = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > UNPACKED_MAX) throw new Error('too long')
    chunks.push(value as Uint8Array<ArrayBuffer>)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}

export const pack = async (text: string) =>
  base45(await through(new CompressionStream('deflate-raw'), new TextEncoder().encode(text)))

export const unpack = async (packed: string) =>
  new TextDecoder().decode(await through(new DecompressionStream('deflate-raw'), fromBase45(packed)))

/** `PREFIX3/12:…`: part 3 of 12. */
export function partsOf(prefix: string, packed: string): string[] {
  const count = Math.max(1, Math.ceil(packed.length / PART_LETTERS))
  return Array.from(
    { length: count },
    (_, index) =>
      `${prefix}${index + 1}/${count}:${packed.slice(index * PART_LETTERS, (index + 1) * PART_LETTERS)}`,
  )
}

export type Part = { number: number; of: number; text: string }

export function partOf(prefix: string, code: string): Part | null {
  const found = /^(\d{1,4})\/(\d{1,4}):([\s\S]+)$/.exec(code.slice(prefix.length))
  if (!code.startsWith(prefix) || !found) return null
  return { number: Number(found[1]), of: Number(found[2]), text: found[3] ?? '' }
}

/** Parts of one text that come in any order; the text when the last one is there. */
export class Gathering {
  readonly #parts = new Map<number, string>()
  #of = 0

  take({ number, of, text }: Part): string | null {
    if (of !== this.#of) this.#parts.clear()
    this.#of = of
    this.#parts.set(number, text)
    if (this.#parts.size < of) return null
    const all = Array.from({ length: of }, (_, index) => this.#parts.get(index + 1) ?? '')
    this.#parts.clear()
    return all.join('')
  }
}
