// Flips one bit of a proof, to show that the check notices.
import type { MerkleValidation } from '../lib/api/types.ts'
import { base64, fromBase64, fromHex, hex } from './hex.ts'

export const tampers = ['leaf', 'path', 'index', 'root', 'checkpoint'] as const
export type Tamper = (typeof tampers)[number]

const flipped = (bytes: Uint8Array): Uint8Array => {
  const at = Math.floor(bytes.length / 2)
  return bytes.map((byte, place) => (place === at ? byte ^ 1 : byte))
}

/** The proof with one bit changed in that part. */
export function tampered(proof: MerkleValidation, part: Tamper): MerkleValidation {
  switch (part) {
    case 'leaf':
      return { ...proof, leaf: base64(flipped(fromBase64(proof.leaf))) }
    case 'path': {
      const [first, ...rest] = proof.inclusion_path
      // A tree of one leaf has no path; then one hash too many is the change.
      const changed = first === undefined ? proof.leaf_hash : hex(flipped(fromHex(first)))
      return { ...proof, inclusion_path: [changed, ...rest] }
    }
    case 'index':
      return { ...proof, inclusion_index: proof.inclusion_index ^ 1 }
    case 'root':
      return { ...proof, root: hex(flipped(fromHex(proof.root))) }
    case 'checkpoint': {
      // The root inside the signed text: the signature is then over something else.
      const [origin = '', size = '', root = '', ...rest] = proof.checkpoint.split('\n')
      const changed = base64(flipped(fromBase64(root)))
      return { ...proof, checkpoint: [origin, size, changed, ...rest].join('\n') }
    }
  }
}
