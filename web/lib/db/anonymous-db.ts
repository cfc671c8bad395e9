// What a wallet must not lose: purchases that are not finished, and tickets without a name. Every change is durable when it returns.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import { blankOf, finished, type KeyTerms, type Purchase, type Token } from '../anonymous/purchase.ts'

interface AnonymousDb extends DBSchema {
  purchases: { key: string; value: Purchase }
  tokens: { key: string; value: Token }
}

const NAME = 'admit-wallet-anonymous'

let opened: Promise<IDBPDatabase<AnonymousDb>> | null = null

function open(): Promise<IDBPDatabase<AnonymousDb>> {
  opened ??= openDB<AnonymousDb>(NAME, 1, {
    upgrade: database => {
      database.createObjectStore('purchases', { keyPath: 'id' })
      database.createObjectStore('tokens', { keyPath: 'number' })
    },
    terminated: () => {
      opened = null
    },
  })
  // A browser that refuses now may allow it later.
  opened.catch(() => {
    opened = null
  })
  return opened
}

/** Money hangs on these writes: they return when they are on the disk, not when they are on their way. */
const strict = { durability: 'strict' } as const

export const getPurchase = async (id: string) => (await open()).get('purchases', id)

export const listPurchases = async () => (await open()).getAll('purchases')

export const getToken = async (number: string) => (await open()).get('tokens', number)

export const listTokens = async () => (await open()).getAll('tokens')

/** Keeps a new purchase before anything of it happens. */
export async function addPurchase(purchase: Purchase): Promise<void> {
  const writing = (await open()).transaction('purchases', 'readwrite', strict)
  await Promise.all([writing.store.add(purchase), writing.done])
}

/** Changes what is kept now, not what some tab remembers; none when the purchase is finished or was given up. */
export async function changePurchase(
  id: string,
  change: (kept: Purchase) => Purchase,
): Promise<Purchase | undefined> {
  const writing = (await open()).transaction('purchases', 'readwrite', strict)
  const kept = await writing.store.get(id)
  const next = kept && change(kept)
  if (next) await writing.store.put(next)
  await writing.done
  return next
}

export async function dropPurchase(id: string): Promise<void> {
  const writing = (await open()).transaction('purchases', 'readwrite', strict)
  await Promise.all([writing.store.delete(id), writing.done])
}

/** Puts the ticket in its blank's place, both or neither: a ticket is never lost, and never there twice. */
export async function keepToken(id: string, token: Token): Promise<void> {
  const writing = (await open()).transaction(['purchases', 'tokens'], 'readwrite', strict)
  const purchases = writing.objectStore('purchases')
  const tokens = writing.objectStore('tokens')
  const [purchase, known] = await Promise.all([purchases.get(id), tokens.get(token.number)])
  if (!known) await tokens.put(token)
  const rest = purchase && finished(purchase, token.nonce)
  if (rest) await purchases.put(rest)
  else if (purchase) await purchases.delete(id)
  await writing.done
}

/** Says what a ticket was exchanged for. */
export async function markExchanged(number: string, access: string): Promise<void> {
  const writing = (await open()).transaction('tokens', 'readwrite', strict)
  const token = await writing.store.get(number)
  if (token) await writing.store.put({ ...token, exchanged: access })
  await writing.done
}

/** The same ticket with newer terms of its key. */
export async function changeTerms(number: string, terms: KeyTerms): Promise<Token | null> {
  const writing = (await open()).transaction('tokens', 'readwrite', strict)
  const token = await writing.store.get(number)
  const next = token ? { ...token, terms } : null
  if (next) await writing.store.put(next)
  await writing.done
  return next
}

export const dropToken = async (number: string) => void (await (await open()).delete('tokens', number))

/** Adds what is not here yet. What is here stands: a copy is never newer than what this phone went on with. */
export async function mergeKept(
  purchases: Purchase[],
  tokens: Token[],
): Promise<{ purchases: number; tokens: number }> {
  const writing = (await open()).transaction(['purchases', 'tokens'], 'readwrite', strict)
  const added = { purchases: 0, tokens: 0 }
  for (const token of tokens) {
    const store = writing.objectStore('tokens')
    const known = await store.get(token.number)
    if (!known) added.tokens += 1
    if (!known || (token.exchanged && !known.exchanged)) await store.put(token)
  }
  const here = await writing.objectStore('tokens').getAll()
  for (const older of purchases) {
    const store = writing.objectStore('purchases')
    if (await store.get(older.id)) continue
    // What became a ticket here is no purchase any more.
    let rest: Purchase | null = older
    for (const { nonce } of here) rest = rest && blankOf(rest, nonce) ? finished(rest, nonce) : rest
    if (!rest) continue
    await store.put(rest)
    added.purchases += 1
  }
  await writing.done
  return added
}
