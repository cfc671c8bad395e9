// What only the server can judge is answered under the one ScanId it was given, whatever the network does.
import { describe, expect, it, vi } from 'vitest'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict } from '../lib/api/types.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'
import type { Judgement, Scan, ScanState } from './scan.ts'
import { drawScanId } from './scan-id.ts'
import { ServerScans, type ServerScansDeps } from './server-scans.ts'

const forged: Judgement = {
  reason: 'invalid',
  message: 'Not a ticket of this event.',
  ticket: null,
  maxUses: null,
  digest: null,
  first: null,
}

const fresh = (code = 'A1:X'): Scan => ({
  scanId: drawScanId(),
  code,
  gate: 1,
  at: '2026-11-21T18:00:00Z',
  state: { kind: 'asking' },
  resumed: false,
})
const admitted = (scanId: string) => ({ verdict: 'admit', reason: null, scan_id: scanId }) as Verdict

function bench(overrides: Partial<ServerScansDeps> = {}) {
  const kept = new Map<string, WaitingScan>()
  const later: { ms: number; run: () => void }[] = []
  const states: ScanState[] = []
  const send = vi.fn(async (scan: WaitingScan) => admitted(scan.scanId))
  const deps: ServerScansDeps = {
    send,
    kept: {
      put: async scan => void kept.set(scan.scanId, scan),
      remove: async scanId => void kept.delete(scanId),
      all: async () => [...kept.values()],
    },
    patienceMs: () => 1_500,
    after: (ms, run) => void later.push({ ms, run }),
    begun: vi.fn(),
    changed: scan => void states.push(scan.state),
    shutOut: vi.fn(),
    ...overrides,
  }
  const settle = () => new Promise(resolve => setTimeout(resolve, 0))
  return { scans: new ServerScans(deps), kept, later, states, send, deps, settle }
}

describe('a scan for the server alone', () => {
  it('shows no verdict before the answer, and is forgotten after it', async () => {
    const { scans, states, kept, settle } = bench()
    await scans.present(fresh(), null)
    await settle()
    expect(states.map(state => state.kind)).toEqual(['asking', 'answered'])
    expect(kept.size).toBe(0)
  })

  it('is sent again with the same ScanId when no answer comes, ever more slowly', async () => {
    const send = vi.fn(async (_scan: WaitingScan): Promise<Verdict> => {
      throw new NoAnswer('timeout')
    })
    const { scans, later, states, kept, settle } = bench({ send })
    await scans.present(fresh(), null)
    for (let round = 0; round < 6; round++) {
      await settle()
      later.at(-1)?.run()
    }
    await settle()
    expect(new Set(send.mock.calls.map(([scan]) => scan.scanId)).size).toBe(1)
    expect(later.map(pause => pause.ms).slice(0, 6)).toEqual([500, 1000, 2000, 4000, 8000, 8000])
    expect(states.at(-1)?.kind).toBe('server_only')
    expect(kept.size).toBe(1)
  })

  it('keeps its ScanId when the same code is shown again while it waits', async () => {
    let fail = true
    const send = vi.fn(async (scan: WaitingScan) => {
      if (fail) throw new NoAnswer('timeout')
      return admitted(scan.scanId)
    })
    const { scans, settle } = bench({ send })
    const first = await scans.present(fresh(), null)
    await settle()
    fail = false
    const second = await scans.present(fresh(), null)
    await settle()
    expect(second.scanId).toBe(first.scanId)
    expect(second.state.kind).toBe('answered')
  })

  it('is asked again under its old ScanId after a restart', async () => {
    const { scans, kept, send, settle } = bench()
    kept.set('old-scan-id', { scanId: 'old-scan-id', code: 'A1:X', gate: 2, at: '2026-11-21T17:00:00Z' })
    await scans.resume()
    await settle()
    expect(send.mock.calls[0]?.[0]).toMatchObject({ scanId: 'old-scan-id', gate: 2 })
    expect(kept.size).toBe(0)
  })

  it('waits as long as the server asks', async () => {
    const send = async () => {
      throw new Problem({ code: 'unavailable', retry_after_s: 3 }, 503)
    }
    const { scans, later, settle } = bench({ send })
    await scans.present(fresh(), null)
    await settle()
    expect(later[0]?.ms).toBe(3000)
  })

  it('that the device refuses gets its refusal at once, is still told, and is not waited for', async () => {
    const { scans, states, send, settle } = bench()
    await scans.present(fresh('A1:FORGED'), forged)
    expect(states[0]).toEqual({ kind: 'judged', local: forged })
    expect(scans.waiting).toBe(0)
    await settle()
    expect(send).toHaveBeenCalledOnce()
  })

  it('works where the browser keeps nothing', async () => {
    const broken = async () => {
      throw new Error('no IndexedDB')
    }
    const { scans, states, settle } = bench({ kept: { put: broken, remove: broken, all: broken } })
    await scans.resume()
    await scans.present(fresh(), null)
    await settle()
    expect(states.at(-1)?.kind).toBe('answered')
  })

  it('tells when this device is shut out, and never tries again', async () => {
    const send = async () => {
      throw new Problem({ code: 'device_revoked' }, 401)
    }
    const { scans, deps, later, settle } = bench({ send })
    await scans.present(fresh(), null)
    await settle()
    expect(deps.shutOut).toHaveBeenCalledOnce()
    expect(later).toHaveLength(0)
  })

  it('that the server cannot take is told so and given up', async () => {
    const send = async () => {
      throw new Problem({ code: 'malformed', detail: 'Bad gate.' }, 400)
    }
    const { scans, states, kept, settle } = bench({ send })
    await scans.present(fresh(), null)
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'failed', message: 'Bad gate.' })
    expect(kept.size).toBe(0)
  })
})

describe('somebody who leaves', () => {
  const leaving = (): Scan => ({ ...fresh(), direction: 'exit' })

  it('is told to the server as an exit, and kept nowhere', async () => {
    const put = vi.fn(async () => undefined)
    const all = async () => []
    const { scans, states, send, settle } = bench({ kept: { put, remove: async () => undefined, all } })
    await scans.present(leaving(), null)
    await settle()
    expect(send.mock.calls[0]?.[0]).toMatchObject({ direction: 'exit' })
    expect(put).not.toHaveBeenCalled()
    expect(states.at(-1)?.kind).toBe('answered')
  })

  it('is let out when nobody answers, and never asked about again', async () => {
    const send = vi.fn(async (): Promise<Verdict> => {
      throw new NoAnswer('offline')
    })
    const { scans, states, later, settle } = bench({ send })
    await scans.present(leaving(), null)
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'let_out', why: 'offline' })
    for (const { run } of later) run()
    scans.retryNow()
    await settle()
    expect(send).toHaveBeenCalledOnce()
    expect(scans.waiting).toBe(0)
  })

  it('does not wait for a slow server, whose late answer shows nothing', async () => {
    let answer = (_verdict: Verdict) => {}
    const send = () => new Promise<Verdict>(done => (answer = done))
    const { scans, states, later, settle } = bench({ send })
    await scans.present(leaving(), null)
    expect(later[0]?.ms).toBe(1_500)
    later[0]?.run()
    await settle()
    answer({ verdict: 'refuse', reason: 'not_inside' } as Verdict)
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'let_out', why: 'late' })
  })

  it('is let out also when the server takes no such request, and the reason is said', async () => {
    const send = async () => {
      throw new Problem({ code: 'malformed', detail: 'Bad gate.' }, 400)
    }
    const { scans, states, settle } = bench({ send })
    await scans.present(leaving(), null)
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'let_out', why: { said: 'Bad gate.' } })
  })

  it('is another scan than the entry by the same code that still waits', async () => {
    const send = vi.fn((_scan: WaitingScan) => new Promise<Verdict>(() => {}))
    const { scans, settle } = bench({ send })
    await scans.present(fresh(), null)
    await scans.present(leaving(), null)
    await settle()
    expect(new Set(send.mock.calls.map(([scan]) => scan.scanId)).size).toBe(2)
  })
})

it('draws ScanIds of 22 url-safe characters', () => {
  const drawn = Array.from({ length: 200 }, drawScanId)
  expect(new Set(drawn).size).toBe(200)
  for (const id of drawn) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/)
})
