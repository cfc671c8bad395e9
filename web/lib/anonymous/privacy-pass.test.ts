// Tokens against the vectors of RFC 9578, type 2, and the two forms that are ours.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Bytes } from '../rotation/code.ts'
import { blind, finalize, readSpki } from './blind-rsa.ts'
import {
  bearerCode,
  bearerNumber,
  challengeOf,
  issuerName,
  keyIdOf,
  ticketNumber,
  toHex,
  tokenInput,
} from './privacy-pass.ts'

type Vector = Record<
  'pkS' | 'token_challenge' | 'nonce' | 'blind' | 'salt' | 'token_request' | 'token_response' | 'token',
  string
>

const file = new URL('../../../vectors/privacypass/rfc9578.go.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vector[]
const bytes = (hex: string): Bytes => new Uint8Array(Buffer.from(hex, 'hex'))

describe.each(vectors.map((vector, at) => ({ at, vector })))('vector $at of RFC 9578', ({ vector }) => {
  it('makes the request and the token', async () => {
    const spki = bytes(vector.pkS)
    const key = await readSpki(spki)
    const keyId = await keyIdOf(spki)
    const input = await tokenInput(bytes(vector.nonce), bytes(vector.token_challenge), keyId)
    const { message, inverse } = await blind(key, input, {
      salt: bytes(vector.salt),
      r: BigInt(`0x${vector.blind}`),
    })
    expect(`0002${toHex(keyId.slice(-1))}${toHex(message)}`).toBe(vector.token_request)
    const authenticator = await finalize(key, input, bytes(vector.token_response), inverse)
    expect(toHex(input) + toHex(authenticator)).toBe(vector.token)
  })
})

it('names the issuer after the log', () => {
  expect(issuerName('admit-one/abc/log/7')).toBe('admit-one/abc/issuer/7')
})

it('writes the challenge with its lengths', async () => {
  const challenge = toHex(await challengeOf('admit-one/abc/issuer/7'))
  expect(challenge.slice(0, 8)).toBe('00020016')
  expect(challenge.slice(8 + 44, 8 + 46)).toBe('20')
  expect(challenge.slice(-4)).toBe('0000')
  expect(challenge).toHaveLength(2 * (4 + 22 + 1 + 32 + 2))
})

it('fits the code into a QR of version 13', () => {
  const code = bearerCode(new Uint8Array(32), new Uint8Array(32), new Uint8Array(256))
  expect(code).toHaveLength(3 + 440)
  expect(code).toMatch(/^B1:[0-9A-Z $%*+\-./:]+$/)
})

// By `TicketId`'s Display in crates/admit-core.
it('writes numbers as every ticket has them', () => {
  expect(ticketNumber(0n)).toBe('00000-00000-0000')
  expect(ticketNumber(1n)).toBe('00000-00000-001S')
  expect(ticketNumber(2n ** 64n - 1n)).toMatch(/^FZZZZ-ZZZZZ-ZZZ/)
})

it('gives every token a number of its own', async () => {
  const keyId = new Uint8Array(32)
  const one = await bearerNumber(keyId, new Uint8Array(32))
  const two = await bearerNumber(keyId, new Uint8Array(32).fill(1))
  expect(one).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{4}$/)
  expect(one).not.toBe(two)
})
