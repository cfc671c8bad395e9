// What the page reads out of texts and answers.
import { expect, it } from 'vitest'
import { headOf } from './checkpoint.ts'
import { headlineOf, type Told } from './headline.ts'
import { base64, base64Url, fromBase64, fromHex, hex } from './hex.ts'
import { latencies } from './latency.ts'
import { pretty, trimmed, whole } from './pretty.ts'

it('reads a checkpoint', () => {
  const root = fromHex('0f'.repeat(32))
  const checkpoint = `admit-one/x/log/2\n41\n${base64(root)}\n\n— admit-one/x/log/2 abc\n`
  expect(headOf(checkpoint)).toEqual({ size: 41, root: '0f'.repeat(32), checkpoint })
  for (const text of ['', 'x\n4x\nAAAA\n', 'x\n4\n%\n', 'x\n4\nAAAA\n']) expect(headOf(text)).toBeNull()
})

it('turns bytes into text and back', () => {
  const bytes = Uint8Array.of(0, 250, 255, 62, 63)
  expect(fromHex(hex(bytes))).toEqual(bytes)
  expect(fromBase64(base64(bytes))).toEqual(bytes)
  expect(base64Url(bytes)).toMatch(/^[A-Za-z0-9_-]+$/)
})

it('counts how long things took', () => {
  const taken = [9, 1, 5, 3].map(ms => ({ operation: 'verify', ms }))
  expect(latencies([...taken, { operation: 'mint', ms: 2 }])).toEqual([
    { operation: 'verify', count: 4, median: 3, slowest: 9 },
    { operation: 'mint', count: 1, median: 2, slowest: 2 },
  ])
})

it('cuts long texts for reading and not for copying', () => {
  const long = 'x'.repeat(500)
  expect(pretty({ svg: long })).toContain('(500 characters)')
  expect(whole({ svg: long })).toContain(long)
  expect(pretty('plain\ntext')).toBe('plain\ntext')
})

it('keeps the beginning of what is very long', () => {
  const kept = trimmed({ entries: Array(500).fill({ n: 1 }), signed: 'x'.repeat(50_000), n: 3 })
  const { entries, signed, n } = kept as { entries: unknown[]; signed: string; n: number }
  expect([entries.length, entries.at(-1), n]).toEqual([101, '… (500 in all)', 3])
  expect(signed.length).toBeLessThan(21_000)
  expect(trimmed({ path: ['ab', null], proof: { size: 2 } })).toEqual({
    path: ['ab', null],
    proof: { size: 2 },
  })
})

const exchange = (answer: unknown, more: Partial<Told> = {}): Told => ({
  ...{ where: 'server', status: 200, answer },
  ...more,
})

it('never tells a refusal by policy as a wrong signature', () => {
  const policy = { allowed: false, usesRemaining: 1, reason: 'entry_point_denied' }
  const denied = headlineOf(exchange({ valid: false, policy, crypto: { signatureValid: true } }))
  expect(denied).toEqual({ tone: 'bad', text: 'Denied: entry_point_denied. The signature is right.' })
  const forged = headlineOf(
    exchange({ policy: { ...policy, reason: 'invalid' }, crypto: { signatureValid: false } }),
  )
  expect(forged.text).toContain('The signature is wrong.')
})

it('says what a gate in the browser did', () => {
  const where = { where: 'browser' as const, status: null }
  const admitted = { admitted: true, reason: null, signatureValid: true, usesRemaining: null }
  expect(headlineOf(exchange(admitted, where)).text).toBe('Allowed. Any number of uses left.')
  const spent = { admitted: false, reason: 'proof_digest_spent', signatureValid: null, usesRemaining: 0 }
  expect(headlineOf(exchange(spent, where)).text).toContain('was not looked at')
})

it('says it when no answer came, and repeats a problem', () => {
  expect(headlineOf(exchange(null, { status: null }))).toEqual({
    tone: 'bad',
    text: 'The server does not answer.',
  })
  const problem = { code: 'not_found', detail: 'There is no such ticket.' }
  expect(headlineOf(exchange(problem, { status: 404 })).text).toBe('There is no such ticket. (not_found)')
})
