// An exchange that is interrupted anywhere ends with one ticket, and its key lies where the ticket's page looks for it.
import 'fake-indexeddb/auto'
import { beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { Token } from '../lib/anonymous/purchase.ts'
import { newPair, termsOf } from '../lib/anonymous/test-issuer.ts'
import { NoAnswer } from '../lib/api/http.ts'
import { dropToken, getToken, mergeKept } from '../lib/db/anonymous-db.ts'
import { getKey } from '../lib/db/key-db.ts'
import { getKeptTicket } from '../lib/db/wallet-db.ts'
import { exchange } from './exchange.ts'

const ACCESS = 'adm1_ticket_exchanged'
const keys: string[] = []
let lose: 'exchange' | 'ticket' | null = null

vi.mock('../lib/api/anonymous.ts', () => ({
  exchangeToken: async (_code: string, _event: string, key: string) => {
    keys.push(key)
    if (lose === 'exchange') throw new NoAnswer('lost')
    return { access: ACCESS }
  },
}))
vi.mock('../lib/api/ticket.ts', () => ({
  getTicket: async () => {
    if (lose === 'ticket') throw new NoAnswer('lost')
    return { rotation: { event_number: 7, ticket_number: '99', bound: true, head: 'AAAA' } }
  },
}))

let token: Token

beforeAll(async () => {
  const terms = await termsOf(await newPair())
  token = { number: 'N', nonce: new Uint8Array(32), signature: new Uint8Array(256), terms, exchanged: null }
})

beforeEach(async () => {
  keys.length = 0
  lose = null
  await dropToken('N')
  await mergeKept([], [token])
})

it('keeps the key under the ticket’s own number, bound', async () => {
  expect(await exchange(token)).toBe(ACCESS)
  expect(await getKey('7/99')).toMatchObject({ kind: 'device', bound: true })
  expect(await getKey('exchange/N')).toBeUndefined()
  expect((await getKeptTicket(ACCESS))?.access).toBe(ACCESS)
  expect((await getToken('N'))?.exchanged).toBe(ACCESS)
})

it.each(['exchange', 'ticket'] as const)('shows the same key after the answer of %s is lost', async lost => {
  lose = lost
  await expect(exchange(token)).rejects.toBeInstanceOf(NoAnswer)
  lose = null
  await exchange(token)
  expect(new Set(keys).size).toBe(1)
})

it('sends a point of 33 bytes', async () => {
  await exchange(token)
  const point = Buffer.from(keys[0] ?? '', 'base64url')
  expect(point).toHaveLength(33)
  expect([2, 3]).toContain(point[0])
})

it('asks nobody twice', async () => {
  await exchange({ ...token, exchanged: ACCESS })
  expect(keys).toEqual([])
})
