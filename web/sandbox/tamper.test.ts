// Each change changes its own part and nothing else, by one bit.
import { expect, it } from 'vitest'
import type { MerkleValidation } from '../lib/api/types.ts'
import { base64, fromHex } from './hex.ts'
import { tampered, tampers } from './tamper.ts'

const root = 'cd'.repeat(32)
const proof: MerkleValidation = {
  ...{ valid: true, circuit_id: 'ticket', event: 'verified', inclusion_index: 4, tree_size: 9 },
  ...{ leaf_hash: 'ab'.repeat(32), root, inclusion_path: ['01'.repeat(32), '02'.repeat(32)] },
  ...{ leaf: 'AQIDBAUG', opening: null, origin: 'log' },
  checkpoint: `log\n9\n${base64(fromHex(root))}\n\n— log AAAA\n`,
}

it('changes one field', () => {
  const fields = { leaf: 'leaf', path: 'inclusion_path', index: 'inclusion_index', root: 'root' } as const
  for (const part of ['leaf', 'path', 'index', 'root'] as const) {
    const changed = tampered(proof, part)
    expect(changed[fields[part]]).not.toEqual(proof[fields[part]])
    expect({ ...changed, [fields[part]]: proof[fields[part]] }).toEqual(proof)
  }
})

it('keeps the form of what it changes', () => {
  for (const part of tampers) {
    const changed = tampered(proof, part)
    expect(changed.root).toMatch(/^[0-9a-f]{64}$/)
    expect(changed.inclusion_path.every(hash => /^[0-9a-f]{64}$/.test(hash))).toBe(true)
    expect(changed.checkpoint.split('\n').length).toBe(proof.checkpoint.split('\n').length)
  }
  expect(tampered(proof, 'checkpoint').checkpoint).not.toBe(proof.checkpoint)
})

it('adds a hash where there is no path', () => {
  expect(tampered({ ...proof, inclusion_path: [] }, 'path').inclusion_path).toEqual([proof.leaf_hash])
})
