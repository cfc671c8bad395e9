// A scan is answered under the one ScanId it was given, whatever the network does.
import { describe, expect, it, vi } from 'vitest'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict } from '../lib/api/types.ts'
import type { LocalVerdict } from '../lib/core/rules.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'
import { type AdmissionDeps, Admissions, type ScanState } from './admission.ts'
import { drawScanId } from './scan-id.ts'

const ask: LocalVerdict = {
  verdict: 'ask_server',
  reason: null,
  message: '',
  ticket: null,
  max_uses: null,
  digest: null,
}
const forged: LocalVerdict = {
  ...ask,
  verdict: 'refuse',
  reason: 'invalid',
  message: 'Not a ticket of this event.',
}

const admitted = (scanId: string) => ({ verdict: 'admit', reason: null, scan_id: scanId }) as Verdict

function bench(overrides: Partial<AdmissionDeps> = {}) {
  const kept = new Map<string, WaitingScan>()
  const later: { ms: number; run: () => void }[] = []
  const states: ScanState[] = []
  const send = vi.fn(async (scan: WaitingScan) => admitted(scan.scanId))
  const deps: AdmissionDeps = {
    judge: () => ask,
    send,
    journal: {
      put: async scan => void kept.set(scan.scanId, scan),
      remove: async scanId => void kept.delete(scanId),
      all: async () => [...kept.values()],
    },
    drawScanId,
    now: () => new Date('2026-11-21T18:00:00Z'),
    after: (ms, run) => void later.push({ ms, run }),
    changed: scan => void states.push(scan.state),
    shutOut: vi.fn(),
    ...overrides,
  }
  const settle = () => new Promise(resolve => setTimeout(resolve, 0))
  return { admissions: new Admissions(deps), kept, later, states, send, deps, settle }
}

describe('a scan', () => {
  it('shows no verdict before the answer, and is forgotten after it', async () => {
    const { admissions, states, kept, settle } = bench()
    await admissions.present('A1:X', 1)
    await settle()
    expect(states.map(state => state.kind)).toEqual(['asking', 'answered'])
    expect(kept.size).toBe(0)
  })

  it('is sent again with the same ScanId when no answer comes, ever more slowly', async () => {
    const send = vi.fn(async (_scan: WaitingScan): Promise<Verdict> => {
      throw new NoAnswer('timeout')
    })
    const { admissions, later, states, kept, settle } = bench({ send })
    await admissions.present('A1:X', 1)
    for (let round = 0; round < 6; round++) {
      await settle()
      later.at(-1)?.run()
    }
    await settle()
    expect(new Set(send.mock.calls.map(([scan]) => scan.scanId)).size).toBe(1)
    expect(later.map(pause => pause.ms).slice(0, 6)).toEqual([500, 1000, 2000, 4000, 8000, 8000])
    expect(states.some(state => state.kind === 'answered')).toBe(false)
    expect(kept.size).toBe(1)
  })

  it('keeps its ScanId when the same code is shown again while it waits', async () => {
    let fail = true
    const send = vi.fn(async (scan: WaitingScan) => {
      if (fail) throw new NoAnswer('timeout')
      return admitted(scan.scanId)
    })
    const { admissions, settle } = bench({ send })
    const first = await admissions.present('A1:X', 1)
    await settle()
    fail = false
    const second = await admissions.present('A1:X', 1)
    await settle()
    expect(second.scanId).toBe(first.scanId)
    expect(second.state.kind).toBe('answered')
    expect((await admissions.present('A1:X', 1)).scanId).not.toBe(first.scanId)
  })

  it('is asked again under its old ScanId after a restart', async () => {
    const { admissions, kept, send, settle } = bench()
    kept.set('old-scan-id', { scanId: 'old-scan-id', code: 'A1:X', gate: 2, at: '2026-11-21T17:00:00Z' })
    await admissions.resume()
    await settle()
    expect(send.mock.calls[0]?.[0]).toMatchObject({ scanId: 'old-scan-id', gate: 2 })
    expect(kept.size).toBe(0)
  })

  it('waits as long as the server asks', async () => {
    const send = async () => {
      throw new Problem({ code: 'unavailable', retry_after_s: 3 }, 503)
    }
    const { admissions, later, settle } = bench({ send })
    await admissions.present('A1:X', 1)
    await settle()
    expect(later[0]?.ms).toBe(3000)
  })

  it('that is forged gets its refusal at once, and is still reported', async () => {
    const { admissions, states, send, settle } = bench({ judge: () => forged })
    await admissions.present('A1:FORGED', 1)
    expect(states[0]?.kind).toBe('judged')
    await settle()
    expect(send).toHaveBeenCalledOnce()
  })

  it('that cannot be a code goes nowhere', async () => {
    const { admissions, states, send, kept, settle } = bench()
    for (const code of ['x'.repeat(601), 'ö'.repeat(301), 'A1:\u0000', '\ud800', ''])
      await admissions.present(code, 1)
    await settle()
    expect(states.map(state => state.kind)).toEqual(Array(5).fill('not_a_code'))
    expect(send).not.toHaveBeenCalled()
    expect(kept.size).toBe(0)
  })

  it('works where the browser keeps nothing', async () => {
    const broken = async () => {
      throw new Error('no IndexedDB')
    }
    const { admissions, states, settle } = bench({ journal: { put: broken, remove: broken, all: broken } })
    await admissions.resume()
    await admissions.present('A1:X', 1)
    await settle()
    expect(states.at(-1)?.kind).toBe('answered')
  })

  it('tells when this device is shut out, and never tries again', async () => {
    const send = async () => {
      throw new Problem({ code: 'device_revoked' }, 401)
    }
    const { admissions, deps, later, settle } = bench({ send })
    await admissions.present('A1:X', 1)
    await settle()
    expect(deps.shutOut).toHaveBeenCalledOnce()
    expect(later).toHaveLength(0)
  })

  it('that the server cannot take is told so and given up', async () => {
    const send = async () => {
      throw new Problem({ code: 'malformed', detail: 'Bad gate.' }, 400)
    }
    const { admissions, states, kept, settle } = bench({ send })
    await admissions.present('A1:X', 1)
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'failed', message: 'Bad gate.' })
    expect(kept.size).toBe(0)
  })
})

it('draws ScanIds of 22 url-safe characters', () => {
  const drawn = Array.from({ length: 200 }, drawScanId)
  expect(new Set(drawn).size).toBe(200)
  for (const id of drawn) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/)
})
