// The journal on the disk: in order, sealed, all or nothing, and nothing of an older version is lost.
import 'fake-indexeddb/auto'
import { deleteDB, openDB } from 'idb'
import { afterEach, expect, it, vi } from 'vitest'
import { getFact, openGateDb, waitingScans, wipe } from './gate-db.ts'
import { DiskJournal, type Kept } from './journal-db.ts'

const intent = (scan: string): Kept => ({ kind: 'intent', scan })
const entry = (sequence: number): Kept => ({
  kind: 'entry',
  entry: { local_id: `scan ${sequence}`, sequence },
})
const kinds = (texts: string[]) => texts.map(text => (JSON.parse(text) as Kept).kind)

async function opened(): Promise<DiskJournal> {
  const journal = new DiskJournal()
  await journal.load()
  return journal
}
const loaded = async () => (await opened()).load()

afterEach(async () => {
  vi.restoreAllMocks()
  await wipe()
})

it('reads back what was kept, in its order', async () => {
  const journal = await opened()
  await Promise.all([1, 2, 3].map(sequence => journal.write([entry(sequence)], [])))
  const texts = await loaded()
  expect(texts.map(text => (JSON.parse(text) as Kept).entry?.sequence)).toEqual([1, 2, 3])
})

it('writes an entry and removes its intent in one transaction', async () => {
  const journal = await opened()
  await journal.write([intent('a')], [])
  const database = await openGateDb()
  const begun = vi.spyOn(database, 'transaction')
  await journal.write([entry(1)], ['a'])
  expect(begun).toHaveBeenCalledOnce()
  expect(begun).toHaveBeenCalledWith('kept', 'readwrite', { durability: 'strict' })
  expect(kinds(await loaded())).toEqual(['entry'])
})

it('forgets an intent of before the restart, too', async () => {
  await (await opened()).write([intent('a')], [])
  await (await opened()).write([entry(1)], ['a'])
  expect(kinds(await loaded())).toEqual(['entry'])
})

it('does not write an intent that ends in the same step', async () => {
  await (await opened()).write([intent('a'), entry(1)], ['a'])
  expect(kinds(await loaded())).toEqual(['entry'])
})

it('keeps only the newest of what is superseded', async () => {
  const journal = await opened()
  for (const kind of ['clock', 'denied', 'clock', 'denied', 'clock']) await journal.write([{ kind }], [])
  expect(kinds(await loaded())).toEqual(['denied', 'clock'])
})

it('puts one record in the place of all changes, before those that come later', async () => {
  const journal = await opened()
  for (let count = 0; count < 70; count++) await journal.write([{ kind: 'changes' }], [])
  expect(journal.changes).toBe(70)
  const whole = journal.compact({ kind: 'changes', scan: 'whole' })
  await journal.write([entry(1), { kind: 'changes' }], [])
  await whole
  expect(kinds(await loaded())).toEqual(['changes', 'entry', 'changes'])
  expect((await opened()).changes).toBe(2)
})

it('holds what the disk refused, and writes it first when it can', async () => {
  const journal = await opened()
  const add = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })
  await expect(journal.write([entry(1)], [])).rejects.toThrow('full')
  expect(journal.sound).toBe(false)
  add.mockRestore()
  await journal.write([entry(2)], [])
  expect(journal.sound).toBe(true)
  const texts = await loaded()
  expect(texts.map(text => (JSON.parse(text) as Kept).entry?.sequence)).toEqual([1, 2])
})

it('writes nothing beside a journal that it could not read', async () => {
  const journal = new DiskJournal()
  expect(journal.sound).toBe(false)
  await expect(journal.write([entry(1)], [])).rejects.toThrow('not read')
})

it('says which records were changed, and reads the others', async () => {
  const journal = await opened()
  await journal.write([entry(1), entry(2)], [])
  const database = await openGateDb()
  const [key] = await database.getAllKeys('kept')
  const record = await database.get('kept', key ?? 0)
  if (record) new DataView(record.sealed.data).setUint32(0, 0)
  if (record) await database.put('kept', record, key)
  const again = new DiskJournal()
  expect(await again.load()).toHaveLength(1)
  expect(again.unreadable).toBe(1)
})

it('holds nothing that can be read without its key, and no key that can be read', async () => {
  await (await opened()).write([entry(1)], [])
  await waitingScans.put({ scanId: 's', code: 'SECRET-CODE', gate: 1, at: '' })
  const database = await openGateDb()
  const raw = [...(await database.getAll('kept')), ...(await database.getAll('journal'))]
  const bytes = raw.map(record =>
    'sealed' in record ? Buffer.from(record.sealed.data).toString('latin1') : '',
  )
  expect(bytes.join()).not.toMatch(/entry|scan 1|SECRET/)
  const key = await database.get('keys', 'seal')
  expect(key?.extractable).toBe(false)
})

it('loses nothing of the version before', async () => {
  await deleteDB('admit-gate')
  const old = await openDB('admit-gate', 1, {
    upgrade: database => {
      database.createObjectStore('journal', { keyPath: 'scanId' })
      database.createObjectStore('facts')
    },
  })
  const waiting = { scanId: 'old', code: 'A1:X', gate: 2, at: '2026-11-21T17:00:00Z' }
  await old.put('journal', waiting)
  await old.put('facts', { deviceId: 7, token: 't' }, 'identity')
  old.close()
  expect(await waitingScans.all()).toEqual([waiting])
  expect(await getFact('identity')).toEqual({ deviceId: 7, token: 't' })
  await (await opened()).write([entry(1)], [])
  expect(kinds(await loaded())).toEqual(['entry'])
  await waitingScans.remove('old')
  expect(await waitingScans.all()).toEqual([])
})
