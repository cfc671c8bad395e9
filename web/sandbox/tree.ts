// The way from a leaf to the root, as RFC 6962 walks it; only for drawing, since the core does the checking.
import { fromBase64, fromHex, hex } from './hex.ts'

/** One level up: the sibling, on which side it stands, and what both hash to. */
export type Rung = { sibling: string; side: 'left' | 'right'; hash: string }

/** The sides of the siblings on the path of a leaf in a tree of that size. */
export function sidesOf(index: number, size: number): ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = []
  let node = index
  let last = size - 1
  while (last > 0) {
    if (node % 2 === 1) sides.push('left')
    else if (node < last) sides.push('right')
    // Otherwise it is the last of its level and has no sibling there: it goes up as it is.
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  return sides
}

async function hashed(prefix: number, ...parts: Uint8Array[]): Promise<Uint8Array> {
  const bytes = Uint8Array.from([prefix, ...parts.flatMap(part => [...part])])
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

/** The hashes on the way up from a leaf (base64) by a path of siblings (hex). */
export async function climb(
  leaf: string,
  index: number,
  size: number,
  path: string[],
): Promise<{ leaf: string; rungs: Rung[] }> {
  let node = await hashed(0, fromBase64(leaf))
  const start = hex(node)
  const sides = sidesOf(index, size)
  const rungs: Rung[] = []
  for (const [level, sibling] of path.entries()) {
    const side = sides[level] ?? 'right'
    const other = fromHex(sibling)
    node = side === 'left' ? await hashed(1, other, node) : await hashed(1, node, other)
    rungs.push({ sibling, side, hash: hex(node) })
  }
  return { leaf: start, rungs }
}
