// The drawn way up must be that of RFC 6962: held against trees that are hashed whole.
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { climb, sidesOf } from './tree.ts'

const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
const leafHash = (leaf: Uint8Array) => sha(Uint8Array.of(0), leaf)
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha(Uint8Array.of(1), left, right)

/** The largest power of two below n, as RFC 6962 splits. */
const split = (n: number) => 2 ** Math.ceil(Math.log2(n) - 1)

function rootOf(leaves: Uint8Array[]): Buffer {
  const [first] = leaves
  if (leaves.length === 1 && first) return leafHash(first)
  const at = split(leaves.length)
  return nodeHash(rootOf(leaves.slice(0, at)), rootOf(leaves.slice(at)))
}

function pathOf(index: number, leaves: Uint8Array[]): Buffer[] {
  if (leaves.length === 1) return []
  const at = split(leaves.length)
  return index < at
    ? [...pathOf(index, leaves.slice(0, at)), rootOf(leaves.slice(at))]
    : [...pathOf(index - at, leaves.slice(at)), rootOf(leaves.slice(0, at))]
}

it('climbs from every leaf of every small tree to its root', async () => {
  for (let size = 1; size <= 17; size++) {
    const leaves = Array.from({ length: size }, (_, n) => Uint8Array.of(n, 7, n))
    const root = rootOf(leaves).toString('hex')
    for (const [index, leaf] of leaves.entries()) {
      const path = pathOf(index, leaves).map(hash => hash.toString('hex'))
      const way = await climb(Buffer.from(leaf).toString('base64'), index, size, path)
      expect(way.rungs.length).toBe(sidesOf(index, size).length)
      expect(way.rungs.at(-1)?.hash ?? way.leaf).toBe(root)
    }
  }
})

it('gives other hashes for another leaf', async () => {
  const path = ['ab'.repeat(32)]
  const one = await climb('AAAA', 0, 2, path)
  const other = await climb('AAAB', 0, 2, path)
  expect(one.rungs[0]?.hash).not.toBe(other.rungs[0]?.hash)
})
