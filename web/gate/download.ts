// "Download for the event": states of all tickets, sealed on this device; a name opens only with its own ticket's code.
import { signal } from '@preact/signals'
import { getDownloadPage } from '../lib/api/gate.ts'
import type { DownloadedTicket, DownloadPage } from '../lib/api/types.ts'
import type { CorePackage } from '../lib/core/package.ts'
import { type DownloadState, gateSealKey, getFact, openGateDb } from '../lib/db/gate-db.ts'
import { type Bytes, seal, unseal } from '../lib/db/seal.ts'

export const downloaded = signal<DownloadState | null>(null)
export const downloading = signal(false)

const NONCE_BYTES = 12
const place = (tokenHash: string) => `download ${tokenHash}`

export async function lookForDownload(): Promise<void> {
  downloaded.value = (await getFact('download').catch(() => undefined)) ?? null
}

/** Goes on where the last try ended; a finished one begins anew. */
export async function downloadForEvent(token: string): Promise<void> {
  if (downloading.value) return
  downloading.value = true
  try {
    await lookForDownload()
    let next = downloaded.value?.next ?? null
    do {
      const page = await getDownloadPage(token, next)
      await keepPage(page, next === null)
      next = page.next
    } while (next !== null)
  } finally {
    downloading.value = false
  }
}

/** A page and how far it brings us are one transaction, so that a cut leaves no gap. */
async function keepPage(page: DownloadPage, first: boolean): Promise<void> {
  const key = await gateSealKey()
  const sealed = await Promise.all(
    page.tickets.map(ticket => seal(key, place(ticket.token_hash), JSON.stringify(ticket))),
  )
  const database = await openGateDb()
  const writing = database.transaction(['download', 'facts'], 'readwrite')
  const tickets = writing.objectStore('download')
  if (first) void tickets.clear()
  page.tickets.forEach((ticket, index) => {
    const record = sealed[index]
    if (record) void tickets.put(record, ticket.token_hash)
  })
  const got = (first ? 0 : (downloaded.value?.got ?? 0)) + page.tickets.length
  const { made_at: madeAt, total, next } = page
  const state: DownloadState = { madeAt, total, got, next }
  await Promise.all([writing.objectStore('facts').put(state, 'download'), writing.done])
  downloaded.value = state
}

export async function ticketOf(tokenHash: string): Promise<DownloadedTicket | null> {
  const sealed = await (await openGateDb()).get('download', tokenHash)
  if (!sealed) return null
  return JSON.parse(await unseal(await gateSealKey(), place(tokenHash), sealed)) as DownloadedTicket
}

/** The holder's name, when it was downloaded and this code unlocks it. */
export async function nameOf(
  tokenHash: string,
  code: string,
  core: CorePackage | null,
): Promise<string | null> {
  const bytes = core?.name_key?.(code)
  if (!bytes) return null
  const locked = (await ticketOf(tokenHash))?.name
  if (!locked) return null
  const box = Uint8Array.from(atob(locked), one => one.charCodeAt(0))
  const key = await crypto.subtle.importKey('raw', bytes as Bytes, 'AES-GCM', false, ['decrypt'])
  const iv = box.subarray(0, NONCE_BYTES)
  const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, box.subarray(NONCE_BYTES))
  return new TextDecoder().decode(plain)
}
