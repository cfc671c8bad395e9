// A backup opens with its passphrase only, and says what is wrong with it.
import 'fake-indexeddb/auto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  addPurchase,
  dropPurchase,
  dropToken,
  getToken,
  listPurchases,
  listTokens,
  mergeKept,
} from '../db/anonymous-db.ts'
import { BackupError, type Contents, lock, unlock } from './backup.ts'
import { begun, blanked, type Purchase, type Token } from './purchase.ts'
import { newPair, termsOf } from './test-issuer.ts'

const FEW_ROUNDS = 1_000
const passphrase = 'correct horse battery'
let contents: Contents
let text: string

const wish = { ticketType: 3, day: null, quantity: 2 }
const blank = (nonce: number, terms: Token['terms']) => ({
  ...{ nonce: new Uint8Array(32).fill(nonce), blinded: new Uint8Array(256), inverse: new Uint8Array(256) },
  ...{ terms, signed: null, wrong: null, refused: false },
})

beforeAll(async () => {
  const terms = await termsOf(await newPair())
  const purchase = blanked(begun('one', 'TEST', 'river-night', { wish }), [blank(1, terms), blank(2, terms)])
  const token = { number: 'A', nonce: new Uint8Array(32).fill(9), signature: new Uint8Array(256).fill(255) }
  contents = { purchases: [purchase], tokens: [{ ...token, terms, exchanged: null }] }
  text = await lock(contents, passphrase, FEW_ROUNDS)
})

const trouble = async (file: string, secret = passphrase) => {
  const error = await unlock(file, secret).catch((thrown: unknown) => thrown)
  return error instanceof BackupError ? error.trouble : error
}

const changed = (change: (envelope: Record<string, unknown>) => void) => {
  const envelope = JSON.parse(text)
  change(envelope)
  return JSON.stringify(envelope)
}

it('gives back what was put in, to the last byte', async () => {
  expect(await unlock(text, passphrase)).toEqual(contents)
})

it('shows nothing of it from outside', () => {
  expect(text).not.toContain('river-night')
})

it('takes 600,000 rounds unless a test asks for less', async () => {
  expect(JSON.parse(await lock({ purchases: [], tokens: [] }, passphrase)).kdf.rounds).toBe(600_000)
})

it('tells a wrong passphrase', async () => {
  expect(await trouble(text, 'correct horse batterz')).toBe('wrong_passphrase')
})

it('tells a damaged file', async () => {
  const flipped = (data: string) => `${data[0] === 'A' ? 'B' : 'A'}${data.slice(1)}`
  expect(
    await trouble(
      changed(envelope => {
        envelope.data = flipped(String(envelope.data))
      }),
    ),
  ).toBe('damaged')
})

it('tells a newer version, and what is no backup at all', async () => {
  expect(
    await trouble(
      changed(envelope => {
        envelope.version = 2
      }),
    ),
  ).toBe('newer_version')
  expect(await trouble('hello')).toBe('not_backup')
  expect(await trouble('{"tickets":[]}')).toBe('not_backup')
})

describe('opened beside what is kept', () => {
  beforeEach(async () => {
    for (const { id } of await listPurchases()) await dropPurchase(id)
    for (const { number } of await listTokens()) await dropToken(number)
  })
  const merge = () => mergeKept(contents.purchases, contents.tokens)

  it('adds what is missing, once', async () => {
    expect(await merge()).toEqual({ purchases: 1, tokens: 1 })
    expect(await merge()).toEqual({ purchases: 0, tokens: 0 })
  })

  it('leaves a purchase that went on here', async () => {
    const [older] = contents.purchases as [Purchase]
    await addPurchase({ ...older, receipt: 'known' })
    await merge()
    expect((await listPurchases())[0]?.receipt).toBe('known')
  })

  it('begins no purchase anew whose tickets are here', async () => {
    const [older] = contents.purchases as [Purchase]
    const tokens = older.blanks.map(({ nonce, terms }, at) => ({
      ...{ number: `${at}`, nonce, terms, signature: new Uint8Array(256), exchanged: null },
    }))
    await mergeKept([], tokens)
    expect(await merge()).toEqual({ purchases: 0, tokens: 1 })
  })

  it('does not forget that a ticket was exchanged', async () => {
    const [token] = contents.tokens as [Token]
    await mergeKept([], [{ ...token, exchanged: 'adm1_ticket_x' }])
    await merge()
    expect((await getToken('A'))?.exchanged).toBe('adm1_ticket_x')
  })
})
