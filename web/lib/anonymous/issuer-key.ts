// An issuer's key is used only when it stands in the event's public record, in the very bytes and with the very terms that are told.
import { getIssuerKeys } from '../api/anonymous.ts'
import { getLogKey } from '../api/log.ts'
import type { IssuerKey } from '../api/types.ts'
import { checkProof, ProofRefused } from '../core/proof.ts'
import { firstKey } from '../db/log-keys.ts'
import { type Bytes, fromBase64Url } from '../rotation/code.ts'
import { k } from './key-texts.ts'
import { challengeOf, issuerName, keyIdOf, toHex } from './privacy-pass.ts'
import type { KeyTerms } from './purchase.ts'

const HEAD_BYTES = 82
const TYPE_AT = 32
const DAY_AT = 33
const NOT_BEFORE_AT = 37
const EXPIRES_AT = 41
const SPKI_AT = 56
const DAY_MS = 86_400_000

/** Below it, whoever sees an admission can guess at the purchase behind it. */
export const FEW = 20

/** The key is not to be trusted; the message says why, for people. */
export class KeyRefused extends Error {}

/** Nobody bought such a ticket yet, and keys are made for the first who does. */
export class NoKeyYet extends KeyRefused {}

/** `soldAtLeast` stays out of the terms, which tickets keep: it would say when one was bought. */
export type CheckedKey = { terms: KeyTerms; soldAtLeast: number }

const same = (one: Bytes, other: Bytes) => toHex(one) === toHex(other)
const dayText = (days: number) => new Date(days * DAY_MS).toISOString().slice(0, 10)
const seconds = (at: string | null) => (at === null ? 0 : Math.floor(Date.parse(at) / 1000))

/** What the leaf of a key says. */
export function readKeyLeaf(leaf: Bytes) {
  if (leaf.length <= HEAD_BYTES + SPKI_AT) throw new KeyRefused(k('not_in_record'))
  const body = leaf.slice(HEAD_BYTES)
  const view = new DataView(body.buffer)
  const day = view.getInt32(DAY_AT)
  return {
    keyId: toHex(body.slice(0, TYPE_AT)),
    ticketType: view.getUint8(TYPE_AT),
    day: day === -1 ? null : dayText(day),
    notBefore: view.getUint32(NOT_BEFORE_AT),
    expires: view.getUint32(EXPIRES_AT),
    spki: body.slice(SPKI_AT),
  }
}

/** Checks one key against the log's key `vkey`. Throws `KeyRefused`, or `NoChecker` when nothing could be checked. */
export async function checkKey(told: IssuerKey, vkey: string): Promise<CheckedKey> {
  const spki = fromBase64Url(told.public_key)
  const keyId = toHex(await keyIdOf(spki))
  if (keyId !== told.key_id) throw new KeyRefused(k('other_number'))
  const proven = await checkProof(told.merkle_validation, vkey).catch(error => {
    throw error instanceof ProofRefused ? new KeyRefused(k('not_in_record'), { cause: error }) : error
  })
  if (proven.kind !== 'issuer_key') throw new KeyRefused(k('not_in_record'))
  const leaf = readKeyLeaf(fromBase64Url(told.merkle_validation.leaf))
  if (leaf.keyId !== keyId || !same(leaf.spki, spki)) throw new KeyRefused(k('other_key'))
  const terms =
    leaf.ticketType === told.ticket_type &&
    leaf.day === told.day &&
    leaf.notBefore === seconds(told.not_before) &&
    leaf.expires === seconds(told.expires)
  const challenge = await challengeOf(issuerName(proven.origin))
  if (!terms || !same(challenge, fromBase64Url(told.token_challenge))) throw new KeyRefused(k('other_terms'))
  return {
    terms: {
      ...{ keyId, spki, challenge, event: told.event, eventName: told.event_name, zone: told.time_zone },
      ...{ ticketType: told.ticket_type, typeName: told.type_name, day: told.day },
      ...{ notBefore: told.not_before, expires: told.expires },
    },
    soldAtLeast: told.sold_at_least,
  }
}

/** The checked key that signs what is bought now. Asked for the event as a whole, so that it says nothing of the choice. */
export async function signingKey(event: string, ticketType: number, day: string | null): Promise<CheckedKey> {
  const [{ keys }, log] = await Promise.all([getIssuerKeys(event), getLogKey(event)])
  const told = keys.find(key => key.signs && key.ticket_type === ticketType && key.day === day)
  if (!told) throw new NoKeyYet(k('none'))
  // Against the key of the first visit: an issuer that shows one person another key must show everybody another log.
  const { vkey, changed } = firstKey(event, log.vkey)
  if (changed) throw new KeyRefused(k('log_changed'))
  const checked = await checkKey(told, vkey)
  if (checked.terms.event !== event) throw new KeyRefused(k('other_terms'))
  return checked
}
