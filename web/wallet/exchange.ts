// Turns a ticket without a name into one that only this phone can show. Its key is made and kept first: the same key gets the same ticket.
import { bearerCode, fromHex } from '../lib/anonymous/privacy-pass.ts'
import type { Token } from '../lib/anonymous/purchase.ts'
import { exchangeToken } from '../lib/api/anonymous.ts'
import { getTicket } from '../lib/api/ticket.ts'
import { markExchanged } from '../lib/db/anonymous-db.ts'
import { dropKey, keepFirstKey, putKey } from '../lib/db/key-db.ts'
import { keepTicket } from '../lib/db/wallet-db.ts'
import { compressedPoint, toBase64Url } from '../lib/rotation/code.ts'

/** No secure context, no IndexedDB, or no room for a key. */
export class NoKey extends Error {}

export const codeOf = ({ terms, nonce, signature }: Token): string =>
  bearerCode(fromHex(terms.keyId), nonce, signature)

/** Until the new ticket has a number, its key is kept under the old one's. */
const waitingKey = (number: string) => `exchange/${number}`

async function keyFor(number: string): Promise<CryptoKeyPair> {
  try {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
    const kept = await keepFirstKey({ id: waitingKey(number), kind: 'device', bound: false, pair })
    if (kept.kind !== 'device') throw new Error('another kind of key')
    return kept.pair
  } catch (error) {
    throw new NoKey('no key can be kept', { cause: error })
  }
}

/** The credential of the ticket that it became. Every part of it may be repeated after a lost answer. */
export async function exchange(token: Token): Promise<string> {
  if (token.exchanged) return token.exchanged
  const pair = await keyFor(token.number)
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const { access } = await exchangeToken(
    codeOf(token),
    token.terms.event,
    toBase64Url(compressedPoint(point)),
  )
  const ticket = await getTicket(access)
  const { rotation } = ticket
  if (!rotation) throw new Error('a ticket whose code does not change')
  // Under the name where the ticket's page looks for it, so that it need not bind again.
  const id = `${rotation.event_number}/${rotation.ticket_number}`
  await putKey({ id, kind: 'device', bound: true, pair })
  await keepTicket({ access, ticket, svg: '', checkedAt: new Date().toISOString() })
  await markExchanged(token.number, access)
  await dropKey(waitingKey(token.number))
  return access
}
