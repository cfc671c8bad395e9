// An event was postponed: its tickets are good for longer than this phone was told when they were bought.
import { getIssuerKeys } from '../api/anonymous.ts'
import { changeTerms } from '../db/anonymous-db.ts'
import { keptKey } from '../db/log-keys.ts'
import { checkKey } from './issuer-key.ts'
import type { Token } from './purchase.ts'

/** Asks for the event's keys as a whole, which says nothing of the ticket; none when there is nothing newer that holds. */
export async function newerTerms({ number, terms }: Token): Promise<Token | null> {
  const vkey = keptKey(terms.event)
  if (vkey === null) return null
  const { keys } = await getIssuerKeys(terms.event)
  const told = keys.find(key => key.key_id === terms.keyId)
  if (!told) return null
  const { terms: newer } = await checkKey(told, vkey)
  const same = newer.expires === terms.expires && newer.notBefore === terms.notBefore
  return same ? null : changeTerms(number, newer)
}
