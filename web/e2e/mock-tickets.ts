// Tickets that hold: the compact token of docs/formats/ticket.md, signed with a key that the mock makes at its start.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { base45 } from '../gate/packing.ts'

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const DOMAIN = Buffer.from('admit-one/ticket/v1\0')

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** The issuer's public key, as a gate's setup names it. */
export const issuerKey = publicKey.export({ format: 'jwk' }).x ?? ''

function numberOf(ticket: bigint): string {
  const digits = Array.from({ length: 13 }, (_, index) => Number((ticket >> BigInt(5 * (12 - index))) & 31n))
  digits.push(digits.reduce((sum, digit, place) => sum + (2 * place + 1) * digit, 0) % 32)
  const letters = digits.map(digit => CROCKFORD[digit]).join('')
  return `${letters.slice(0, 5)}-${letters.slice(5, 10)}-${letters.slice(10)}`
}

export type Minted = { number: string; code: string; hash: string }

export function mint(event: number, type: number, maxUses: number, gates: number[]): Minted {
  const body = Buffer.alloc(26)
  const ticket = randomBytes(8)
  body.writeUInt8(1, 0)
  body.writeUInt8(1, 1)
  body.writeUInt32BE(event, 2)
  ticket.copy(body, 6)
  body.writeUInt8(maxUses, 22)
  body.writeUInt8(type, 23)
  body.writeUInt16BE(
    gates.reduce((mask, gate) => mask | (1 << (gate - 1)), 0),
    24,
  )
  const signature = sign(null, Buffer.concat([DOMAIN, body]), privateKey)
  const name = Buffer.alloc(12)
  name.writeUInt32BE(event, 0)
  ticket.copy(name, 4)
  return {
    number: numberOf(ticket.readBigUInt64BE()),
    code: `A1:${base45(Buffer.concat([body, signature]))}`,
    hash: createHash('sha256').update(DOMAIN).update(name).digest('hex'),
  }
}
