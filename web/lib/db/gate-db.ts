// The gate's memory: who this device is, what it was told, its journal, and the scans that wait for the server.
import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from 'idb'
import type { DoubleEntry, GateSetup } from '../api/types.ts'
import { makeSealKey, type Sealed, seal, unseal } from './seal.ts'

/** `challenge`: what the wallet was asked to sign, base64url; then only its answer is taken, by the server, too. */
export type WaitingScan = {
  scanId: string
  code: string
  gate: number
  at: string
  challenge?: string
  /** An entry when it is not said. */
  direction?: 'exit'
}
export type Identity = { deviceId: number; token: string }
/** One record of the journal, in the order of its key. What is not sealed names no ticket and no person. */
export type KeptRecord = { kind: string; scan?: string; sealed: Sealed }
type SealedScan = { scanId: string; sealed: Sealed }

export interface GateDb extends DBSchema {
  /** Version 1 kept codes in the clear here; they stay until they are answered. */
  journal: { key: string; value: WaitingScan | SealedScan }
  facts: { key: string; value: unknown }
  kept: { key: number; value: KeptRecord }
  keys: { key: string; value: CryptoKey }
  download: { key: string; value: Sealed }
}

const NAME = 'admit-gate'
const VERSION = 2
let opened: Promise<IDBPDatabase<GateDb>> | null = null

export function openGateDb(): Promise<IDBPDatabase<GateDb>> {
  if (opened) return opened
  const opening = openDB<GateDb>(NAME, VERSION, {
    // Only adds: what an older version kept is still there, and still read.
    upgrade: (database, before) => {
      if (before < 1) {
        database.createObjectStore('journal', { keyPath: 'scanId' })
        database.createObjectStore('facts')
      }
      if (before < 2) {
        database.createObjectStore('kept', { autoIncrement: true })
        database.createObjectStore('keys')
        database.createObjectStore('download')
      }
    },
    blocking: () => void forgetConnection(),
    terminated: () => {
      opened = null
    },
  })
  // A browser that refuses now may allow it later.
  opening.catch(() => {
    if (opened === opening) opened = null
  })
  opened = opening
  return opening
}

async function forgetConnection(): Promise<void> {
  const connection = await opened?.catch(() => null)
  opened = null
  sealKey = null
  connection?.close()
}

export type DownloadState = { madeAt: string; total: number; got: number; next: number | null }

type Facts = {
  identity: Identity
  setup: GateSetup
  gate: number
  camera: string
  sound: boolean
  /** This scanner counts people who leave. */
  exits: boolean
  download: DownloadState
}

export const getFact = async <Name extends keyof Facts>(name: Name): Promise<Facts[Name] | undefined> =>
  (await (await openGateDb()).get('facts', name)) as Facts[Name] | undefined

export const keepFact = async <Name extends keyof Facts>(name: Name, value: Facts[Name]): Promise<void> =>
  void (await (await openGateDb()).put('facts', value, name))

// --- what is sealed -----------------------------------------------------------------------------------------------

let sealKey: Promise<CryptoKey> | null = null

/** The device's own key: made at pairing, or at the first opening by a version that has one. */
export function gateSealKey(): Promise<CryptoKey> {
  if (sealKey) return sealKey
  const finding = findSealKey()
  finding.catch(() => {
    if (sealKey === finding) sealKey = null
  })
  sealKey = finding
  return finding
}

async function findSealKey(): Promise<CryptoKey> {
  const database = await openGateDb()
  const known = await database.get('keys', 'seal')
  if (known) return known
  const made = await makeSealKey()
  // Two pages at once end with one key: the first that was kept.
  const writing = database.transaction('keys', 'readwrite', { durability: 'strict' })
  const first = await writing.store.get('seal')
  if (!first) await writing.store.put(made, 'seal')
  await writing.done
  return first ?? made
}

type SealedFacts = { seed: string; notices: DoubleEntry[] }

export async function getSealedFact<Name extends keyof SealedFacts>(
  name: Name,
): Promise<SealedFacts[Name] | undefined> {
  const database = await openGateDb()
  const sealed = (await database.get('facts', name)) as Sealed | undefined
  if (!sealed) return undefined
  return JSON.parse(await unseal(await gateSealKey(), name, sealed)) as SealedFacts[Name]
}

export async function keepSealedFact<Name extends keyof SealedFacts>(
  name: Name,
  value: SealedFacts[Name],
): Promise<void> {
  const sealed = await seal(await gateSealKey(), name, JSON.stringify(value))
  await (await openGateDb()).put('facts', sealed, name)
}

/** Scans that only the server can answer, until it has. */
export const waitingScans = {
  put: async (scan: WaitingScan): Promise<void> => {
    const sealed = await seal(await gateSealKey(), `waiting ${scan.scanId}`, JSON.stringify(scan))
    await (await openGateDb()).put('journal', { scanId: scan.scanId, sealed })
  },
  remove: async (scanId: string): Promise<void> => (await openGateDb()).delete('journal', scanId),
  all: async (): Promise<WaitingScan[]> => {
    const all = await (await openGateDb()).getAll('journal')
    return Promise.all(
      all.map(async kept =>
        'sealed' in kept
          ? (JSON.parse(
              await unseal(await gateSealKey(), `waiting ${kept.scanId}`, kept.sealed),
            ) as WaitingScan)
          : kept,
      ),
    )
  },
}

/** Everything this device knew is gone after this. */
export async function wipe(): Promise<void> {
  await forgetConnection()
  await deleteDB(NAME)
}
