// The gate's memory: who this device is, what it was told, and the scans that still wait for an answer.
import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from 'idb'
import type { GateSetup } from '../api/types.ts'

export type WaitingScan = { scanId: string; code: string; gate: number; at: string }
export type Identity = { deviceId: number; token: string }

interface GateDb extends DBSchema {
  journal: { key: string; value: WaitingScan }
  facts: { key: string; value: unknown }
}

const NAME = 'admit-gate'
let opened: Promise<IDBPDatabase<GateDb>> | null = null

function open(): Promise<IDBPDatabase<GateDb>> {
  opened ??= openDB<GateDb>(NAME, 1, {
    upgrade: database => {
      database.createObjectStore('journal', { keyPath: 'scanId' })
      database.createObjectStore('facts')
    },
    blocking: () => void forgetConnection(),
    terminated: () => {
      opened = null
    },
  })
  return opened
}

async function forgetConnection(): Promise<void> {
  const connection = await opened?.catch(() => null)
  opened = null
  connection?.close()
}

type Facts = { identity: Identity; setup: GateSetup; gate: number; camera: string; sound: boolean }

export const getFact = async <Name extends keyof Facts>(name: Name): Promise<Facts[Name] | undefined> =>
  (await (await open()).get('facts', name)) as Facts[Name] | undefined

export const keepFact = async <Name extends keyof Facts>(name: Name, value: Facts[Name]): Promise<void> =>
  void (await (await open()).put('facts', value, name))

export const journal = {
  put: async (scan: WaitingScan): Promise<void> => void (await (await open()).put('journal', scan)),
  remove: async (scanId: string): Promise<void> => (await open()).delete('journal', scanId),
  all: async (): Promise<WaitingScan[]> => (await open()).getAll('journal'),
}

/** Everything this device knew is gone after this. */
export async function wipe(): Promise<void> {
  await forgetConnection()
  await deleteDB(NAME)
}
