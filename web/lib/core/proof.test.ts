// What is told apart before anything is checked.
import { expect, it } from 'vitest'
import { readProof } from './proof.ts'

it('knows a receipt by its first line', () => {
  const text = 'c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n'
  expect(readProof(`\n${text}\n`)).toEqual({ kind: 'receipt', text })
})

it('finds the proof alone or inside an answer', () => {
  const validation = { inclusion_index: 3, inclusion_path: [] }
  expect(readProof(JSON.stringify(validation))).toEqual({ kind: 'validation', validation })
  expect(readProof(JSON.stringify({ valid: true, merkle_validation: validation }))).toEqual({
    kind: 'validation',
    validation,
  })
})

it('takes nothing else', () => {
  for (const text of ['', 'hello', '3', 'null', '{}', '{"merkle_validation":null}', '[1]']) {
    expect(readProof(text)).toBeNull()
  }
})
