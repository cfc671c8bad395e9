// Gate to gate without a server: own entries as lists signed by this device, and lists of others taken in, their signatures checked.
import { signal } from '@preact/signals'
import { getSealedFact } from '../lib/db/gate-db.ts'
import type { Kept } from '../lib/db/journal-db.ts'
import { saveFile } from '../lib/ui/save-file.ts'
import { fromBase64url } from './base64url.ts'
import { notice } from './board.ts'
import { type Effect, effectsOf } from './effects.ts'
import { LINK_PREFIX, LIST_PREFIX } from './exchange-code.ts'
import { t } from './exchange-texts.ts'
import { Gathering, pack, partOf, unpack } from './packing.ts'
import { soundRepeat } from './sound.ts'
import { linkText, setup } from './state.ts'
import { theDevice } from './station.ts'

/** So few that a phone reads the code from another's screen. */
const ENTRIES_OF_A_CODE = 4
const ENTRIES_OF_A_FILE = 2_000
const ENTRIES_OF_A_MESSAGE = 100

/** What came in: from whom, how many new entries, and how many of the codes of the last round. */
export type Received = { from: string; entries: number; codes: Set<number>; of: number; new: number }
export const received = signal<Received | null>(null)

type KeptPeer = Kept & { entries?: unknown[] }

export class NotHere extends Error {}

async function ownLists(entries: number): Promise<string[]> {
  const seed = await getSealedFact('seed').catch(() => undefined)
  const { core } = theDevice()
  if (!seed || !core?.spent_lists) throw new NotHere('this device signs no lists')
  return JSON.parse(core.spent_lists(fromBase64url(seed), entries)) as string[]
}

/** Each code is a whole signed list, so that any of them counts by itself. */
export async function ownCodes(): Promise<string[]> {
  const lists = await ownLists(ENTRIES_OF_A_CODE)
  return Promise.all(
    lists.map(async (list, index) => `${LIST_PREFIX}${index + 1}/${lists.length}:${await pack(list)}`),
  )
}

export const ownMessages = () => ownLists(ENTRIES_OF_A_MESSAGE)

export async function saveLists(): Promise<void> {
  const lists = await ownLists(ENTRIES_OF_A_FILE)
  const blob = new Blob([JSON.stringify({ format: 'admit-one/spent-lists/v1', lists })], {
    type: 'application/json',
  })
  saveFile(blob, `admit-entries-${setup.value?.event.slug}-device-${setup.value?.device.id}.json`)
}

export async function openLists(file: Blob): Promise<number> {
  const { lists } = JSON.parse(await file.text()) as { lists: string[] }
  let fresh = 0
  for (const list of lists) fresh += (await learn(list)).fresh
  return fresh
}

/** How many entries of a peer an effect keeps. */
const newIn = (effect: Effect) =>
  effect.do === 'keep' ? ((effect.kept as KeptPeer).entries?.length ?? 0) : 0

export class NotTrusted extends Error {}

/** Takes in a list that a peer signed; how many entries were new, and whose they are. */
export async function learn(list: string): Promise<{ fresh: number; from: string }> {
  const device = theDevice()
  if (!device.core?.learn_spent) throw new NotHere('this version takes in no lists')
  const number = Number(/^device (\d+)$/m.exec(list)?.[1])
  const peer = setup.value?.peers?.find(one => one.device === number)
  if (!peer) throw new NotTrusted('no peer of this event')
  let effects: ReturnType<typeof effectsOf>
  try {
    effects = effectsOf(device.core.learn_spent(list, peer.vkey))
  } catch (error) {
    throw new NotTrusted('not signed by the device it speaks for', { cause: error })
  }
  await device.carryOut(effects)
  return { fresh: effects.reduce((sum, effect) => sum + newIn(effect), 0), from: peer.name }
}

const gathering = new Gathering()

/** A code that another scanner shows was read. */
export async function takeIn(code: string): Promise<void> {
  if (code.startsWith(LINK_PREFIX)) {
    const part = partOf(LINK_PREFIX, code)
    const whole = part && gathering.take(part)
    if (whole) linkText.value = await unpack(whole).catch(() => null)
    return
  }
  const part = partOf(LIST_PREFIX, code)
  if (!part) return
  try {
    const { fresh, from } = await learn(await unpack(part.text))
    const before = received.value?.from === from && received.value.of === part.of ? received.value : null
    const codes = new Set([...(before?.codes ?? []), part.number])
    received.value = { from, codes, of: part.of, new: fresh, entries: (before?.entries ?? 0) + fresh }
    soundRepeat()
    notice(t('taken_in', { done: codes.size, of: part.of, from }))
  } catch (error) {
    notice(error instanceof NotHere ? t('not_here') : t('not_trusted'))
  }
}
