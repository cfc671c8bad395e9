// Effects happen in their order: what is to be kept is durable before anything behind it.
import { expect, it } from 'vitest'
import { carryOut, type Effect } from './effects.ts'

const keep = (kind: string): Effect => ({ do: 'keep', kept: { kind } })
const ask: Effect = { do: 'ask', scan: 's' }
const forget: Effect = { do: 'forget', scan: 's' }
const notify: Effect = { do: 'notify', notice: 7 }

function bench(write: () => Promise<void> = async () => {}) {
  const log: string[] = []
  return {
    log,
    hands: {
      write: async (kept: { kind: string }[], over: string[]) => {
        log.push(`write ${kept.map(one => one.kind)} over ${over}`)
        await write()
        log.push('durable')
      },
      ask: (_scan: string, kept: boolean) => void log.push(`ask ${kept}`),
      show: () => void log.push('show'),
      notify: (notice: number) => void log.push(`notify ${notice}`),
    },
  }
}

it('writes what stands together in one go, and waits for the disk', async () => {
  const { log, hands } = bench()
  await carryOut([keep('intent'), keep('entry'), forget, ask, keep('shown'), notify], hands)
  expect(log).toEqual([
    'write intent,entry over s',
    'durable',
    'ask true',
    'write shown over ',
    'durable',
    'notify 7',
  ])
})

it('does not wait for a forgotten intent', async () => {
  const { log, hands } = bench(() => new Promise(() => {}))
  await carryOut([forget, ask], hands)
  expect(log).toEqual(['write  over s', 'ask true'])
})

it('goes on after the disk refused, and says so', async () => {
  const { log, hands } = bench(() => Promise.reject(new Error('full')))
  expect(await carryOut([keep('intent'), ask], hands)).toBe(false)
  expect(log.at(-1)).toBe('ask false')
})
