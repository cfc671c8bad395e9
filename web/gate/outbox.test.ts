// The outbox tells until nothing is left, forgets nothing that was not acknowledged, and never runs twice at once.
import { expect, it, vi } from 'vitest'
import { NoAnswer } from '../lib/api/http.ts'
import { Outbox, type OutboxDeps } from './outbox.ts'

const nothing = { returned: [], returned_types: [], shown: [], accepted_tokens: [] }
const answer = (part: object = {}) =>
  JSON.stringify({
    acknowledged: [],
    notices: [],
    recalled: [],
    recalled_types: [],
    spent: { from: 0, next: 0, more: false, changes: '' },
    ...part,
  })

function bench(overrides: Partial<OutboxDeps> = {}) {
  const timers: { ms: number; run: () => void }[] = []
  const deps: OutboxDeps = {
    core: { report: () => JSON.stringify({ ...nothing, after: 0, pending: 0 }), heard: vi.fn(() => '[]') },
    facts: async () => ({ battery: 50 }),
    send: vi.fn(async (_body: unknown) => answer()),
    carryOut: vi.fn(async () => true),
    ready: async () => true,
    told: vi.fn(),
    done: vi.fn(),
    failed: vi.fn(),
    progress: vi.fn(),
    now: () => ({ monotonic: 1, wall: 2 }),
    after: (ms, run) => {
      const timer = { ms, run }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
    ...overrides,
  }
  return { outbox: new Outbox(deps), deps, timers }
}

it('is a heartbeat with nothing to tell, and says how the device is', async () => {
  const { outbox, deps, timers } = bench()
  await outbox.now()
  expect(deps.send).toHaveBeenCalledWith({ ...nothing, after: 0, pending: 0, battery: 50 })
  expect(timers.map(timer => timer.ms)).toEqual([15_000])
})

it('comes within a second after an entry, several of them together', () => {
  const { outbox, deps, timers } = bench()
  for (let count = 0; count < 5; count++) outbox.soon()
  expect(timers).toHaveLength(1)
  expect(timers[0]?.ms).toBeLessThanOrEqual(1_000)
  expect(deps.send).not.toHaveBeenCalled()
})

it('goes on at once while entries are left and some were taken', async () => {
  let pending = 12_000
  const send = vi.fn(async () => {
    const took = Math.min(5_000, pending)
    pending -= took
    return answer({ acknowledged: Array.from({ length: took }, (_, index) => index) })
  })
  const report = () => JSON.stringify({ ...nothing, after: 0, pending })
  const { outbox, deps } = bench({ send, core: { report, heard: () => '[]' } })
  await outbox.now()
  expect(send).toHaveBeenCalledTimes(3)
  expect(deps.progress).toHaveBeenNthCalledWith(1, { sent: 5_000, left: 7_000 })
  expect(deps.progress).toHaveBeenLastCalledWith(null)
})

it('goes on at once while there is more to learn', async () => {
  let after = 0
  const send = vi.fn(async () => {
    after += 1
    return answer({ spent: { from: after - 1, next: after, more: after < 3, changes: '' } })
  })
  const report = () => JSON.stringify({ ...nothing, after, pending: 0 })
  const { outbox } = bench({ send, core: { report, heard: () => '[]' } })
  await outbox.now()
  expect(send).toHaveBeenCalledTimes(3)
})

it('does not go round for ever with a server that takes nothing', async () => {
  const report = () => JSON.stringify({ ...nothing, after: 0, pending: 3 })
  const spent = { from: 0, next: 0, more: true, changes: '' }
  const send = vi.fn(async () => answer({ spent }))
  const { outbox } = bench({ send, core: { report, heard: () => '[]' } })
  await outbox.now()
  expect(send).toHaveBeenCalledOnce()
})

it('tells at once that a lease is given back', async () => {
  let returned: string[] = []
  const send = vi.fn(async () => {
    const recalled = returned.length === 0 ? ['00112233445566aa'] : []
    returned = ['00112233445566aa']
    return answer({ recalled })
  })
  const report = () => JSON.stringify({ ...nothing, after: 0, pending: 0, returned })
  const { outbox } = bench({ send, core: { report, heard: () => '[]' } })
  await outbox.now()
  expect(send).toHaveBeenCalledTimes(2)
})

it('runs once at a time, and once more for what came meanwhile', async () => {
  const waiting: ((text: string) => void)[] = []
  const send = vi.fn(() => new Promise<string>(settle => waiting.push(settle)))
  const { outbox } = bench({ send })
  const run = outbox.now()
  await vi.waitFor(() => expect(send).toHaveBeenCalledTimes(1))
  outbox.soon()
  void outbox.now()
  waiting[0]?.(answer())
  await vi.waitFor(() => expect(send).toHaveBeenCalledTimes(2))
  waiting[1]?.(answer())
  await run
  expect(send).toHaveBeenCalledTimes(2)
})

it('changes nothing when no answer comes, and tries again with the next heartbeat', async () => {
  const send = vi.fn(async () => {
    throw new NoAnswer('cut')
  })
  const { outbox, deps, timers } = bench({ send })
  await outbox.now()
  expect(deps.core.heard).not.toHaveBeenCalled()
  expect(deps.failed).toHaveBeenCalledOnce()
  expect(timers).toHaveLength(1)
})

it('tells nothing that is not kept: a restart would tell it otherwise', async () => {
  const { outbox, deps } = bench({ ready: async () => false })
  await outbox.now()
  expect(deps.send).not.toHaveBeenCalled()
})

it('knows the words of a notice before it is shown', async () => {
  const order: string[] = []
  const { outbox } = bench({
    told: () => void order.push('told'),
    carryOut: async () => void order.push('carried out'),
  })
  await outbox.now()
  expect(order).toEqual(['told', 'carried out'])
})

it('stops for good when it is closed', async () => {
  const { outbox, deps, timers } = bench()
  outbox.soon()
  outbox.close()
  await outbox.now()
  expect(timers).toHaveLength(0)
  expect(deps.send).not.toHaveBeenCalled()
})
