// The keys of tickets whose code changes. Apart from the tickets: a ticket that is taken off this phone can come back,
// but its key can be made only once. The keys cannot be exported; what stands here can be used and not read.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { KnownTime } from '../rotation/clock.ts'
import type { Bytes } from '../rotation/code.ts'

/** `id` names the ticket; `bound` that the server took this key. A claim is kept only until its secret is. */
export type KeptKey =
  | { id: string; kind: 'device'; bound: boolean; pair: CryptoKeyPair }
  | { id: string; kind: 'shared'; bound: false; claim: Bytes }
  | { id: string; kind: 'shared'; bound: true; secret: CryptoKey }

interface KeyDb extends DBSchema {
  keys: { key: string; value: KeptKey }
  times: { key: string; value: KnownTime }
}

const TIME = 'server'

let opened: Promise<IDBPDatabase<KeyDb>> | null = null

function open(): Promise<IDBPDatabase<KeyDb>> {
  opened ??= openDB<KeyDb>('admit-wallet-keys', 1, {
    upgrade: database => {
      database.createObjectStore('keys', { keyPath: 'id' })
      database.createObjectStore('times')
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

export const getKey = async (id: string) => (await open()).get('keys', id)

export const putKey = async (kept: KeptKey) => void (await (await open()).put('keys', kept))

export const dropKey = async (id: string) => void (await (await open()).delete('keys', id))

/** Keeps this one unless there is one already, and gives what is kept now: two tabs at once end with the same key. */
export async function keepFirstKey(kept: KeptKey): Promise<KeptKey> {
  const database = await open()
  const writing = database.transaction('keys', 'readwrite')
  const written = writing.store.get(kept.id).then(known => (known ? undefined : writing.store.put(kept)))
  await Promise.all([written, writing.done])
  const first = await database.get('keys', kept.id)
  if (!first) throw new Error('the key was not kept')
  return first
}

export const getTime = async () => (await open()).get('times', TIME)

export const putTime = async (known: KnownTime) => void (await (await open()).put('times', known, TIME))
