// One id serves request, fallback and journal; nothing green is shown before its record is durable.
import { describe, expect, it, vi } from 'vitest'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import type { Verdict } from '../lib/api/types.ts'
import type { Kept } from '../lib/db/journal-db.ts'
import { type AdmissionDeps, Admissions, type ScanCore } from './admission.ts'
import type { Scan, ScanState } from './scan.ts'
import { drawScanId } from './scan-id.ts'

const entry = (scan: string, word: string) => ({
  do: 'keep',
  kept: { kind: 'entry', entry: { local_id: scan, sequence: 1, word } },
})
const intent = (scan: string) => ({ do: 'keep', kept: { kind: 'intent', scan } })
const show = (scan: string, verdict: string, offline: boolean) => ({
  do: 'show',
  ...{ scan, verdict, offline, reason: null, message: null, use: 1, uses_remaining: 0 },
})

/** A core that admits everything, with the effects in the order of `device.rs`. */
function core(local: 'admit' | 'refuse' = 'admit'): ScanCore {
  const open = new Set<string>()
  const decided = (scan: string, verdict: string, offline: boolean) => {
    if (!open.delete(scan)) return []
    const word = verdict === 'admit' ? 'done' : 'refused'
    return [entry(scan, word), { do: 'forget', scan }, show(scan, verdict, offline)]
  }
  return {
    guess_ms: (_monotonic, wall) => wall,
    present: (scan, code, _gate, _challenge, online) => {
      if (code.startsWith('HS256')) return JSON.stringify({ read: 'ask_server', effects: [] })
      if (code.startsWith('FORGED'))
        return JSON.stringify({ read: 'refused', reason: 'invalid', message: 'Forged.', effects: [] })
      open.add(scan)
      const effects = [intent(scan), ...(online ? [{ do: 'ask', scan }] : decided(scan, local, true))]
      return JSON.stringify({ read: 'genuine', local, reason: null, message: '', digest: 'd', effects })
    },
    answered: (scan, reason) => JSON.stringify(decided(scan, reason ? 'refuse' : 'admit', false)),
    unanswered: scan => JSON.stringify(decided(scan, local, true)),
    take_back: scan => JSON.stringify([entry(scan, 'void'), { do: 'forget', scan }]),
  }
}

const admitted = { verdict: 'admit', reason: null, use: 1, uses_remaining: 0 } as Verdict

function bench(overrides: Partial<AdmissionDeps> = {}) {
  const log: string[] = []
  const states: ScanState[] = []
  const timers: (() => void)[] = []
  const answers: { settle: (verdict: Verdict) => void; fail: (error: unknown) => void }[] = []
  const send = vi.fn((_scan: { scanId: string; challenge?: string }, confirm: boolean) => {
    log.push(`ask ${confirm}`)
    return new Promise<Verdict>((settle, fail) => answers.push({ settle, fail }))
  })
  const deps: AdmissionDeps = {
    core: core(),
    write: async (kept: Kept[]) => {
      log.push(`write ${kept.map(one => one.kind).join('+')}`)
    },
    keeps: () => true,
    send,
    server: { present: vi.fn() },
    drawScanId,
    now: () => ({ monotonic: 1_000, wall: Date.parse('2026-11-21T18:00:00Z') }),
    after: (_ms, run) => {
      timers.push(run)
      return () => void timers.splice(timers.indexOf(run), 1)
    },
    patienceMs: () => 1_500,
    online: () => true,
    silent: vi.fn(),
    begun: vi.fn(),
    changed: (scan: Scan) => {
      states.push(scan.state)
      log.push(scan.state.kind)
    },
    written: vi.fn(),
    notify: vi.fn(),
    shutOut: vi.fn(),
    ...overrides,
  }
  const settle = () => new Promise(resolve => setTimeout(resolve, 0))
  return { admissions: new Admissions(deps), log, states, timers, answers, send, deps, settle }
}

describe('with the server', () => {
  it('keeps the intent, asks, keeps the entry, and only then shows green', async () => {
    const { admissions, log, answers, settle } = bench()
    await admissions.present('A1:X', 1)
    answers[0]?.settle(admitted)
    await settle()
    expect(log).toEqual(['asking', 'write intent', 'ask true', 'write entry', 'answered'])
  })

  it('asks under the id of the scan', async () => {
    const { admissions, send } = bench()
    const scan = await admissions.present('A1:X', 1)
    expect(send.mock.calls[0]?.[0]).toMatchObject({ scanId: scan.scanId })
  })

  it('shows the device’s own refusal at once, and lets the server correct it', async () => {
    const { admissions, states, answers, settle } = bench({ core: core('refuse') })
    await admissions.present('A1:X', 1)
    expect(states[0]?.kind).toBe('judged')
    answers[0]?.settle(admitted)
    await settle()
    expect(states.at(-1)).toMatchObject({ kind: 'answered', verdict: { verdict: 'admit' } })
  })

  it('keeps the id of a code that is shown again while it waits', async () => {
    const { admissions, send } = bench()
    const first = await admissions.present('A1:X', 1)
    const second = await admissions.present('A1:X', 1)
    expect(second.scanId).toBe(first.scanId)
    expect(send).toHaveBeenCalledOnce()
  })
})

it('passes on what the wallet was asked to sign, also for a code that is refused here', async () => {
  const { admissions, send, deps } = bench()
  await admissions.present('A1:X', 1, new Uint8Array(8))
  expect(send.mock.calls[0]?.[0]).toMatchObject({ challenge: 'AAAAAAAAAAA' })
  await admissions.present('FORGED', 1, new Uint8Array(8))
  const told = expect.objectContaining({ challenge: 'AAAAAAAAAAA' })
  expect(deps.server?.present).toHaveBeenCalledWith(told, expect.anything())
})

describe('without an answer', () => {
  it('lets the device decide when the time is over, and ignores what comes later', async () => {
    const { admissions, states, timers, answers, deps, settle } = bench()
    const scan = await admissions.present('A1:X', 1)
    timers[0]?.()
    await settle()
    expect(states.at(-1)).toMatchObject({ kind: 'decided', verdict: 'admit' })
    expect(deps.silent).toHaveBeenCalledOnce()
    answers[0]?.settle({ ...admitted, verdict: 'refuse', reason: 'already_used' } as Verdict)
    await settle()
    expect(scan.state.kind).toBe('decided')
  })

  it.each([new NoAnswer('none'), new Problem({}, 503), new Problem({}, 500), new Problem({}, 429)])(
    'lets the device decide at once: %s',
    async error => {
      const { admissions, states, timers, answers, settle } = bench()
      await admissions.present('A1:X', 1)
      answers[0]?.fail(error)
      await settle()
      expect(states.at(-1)?.kind).toBe('decided')
      expect(timers).toHaveLength(0)
    },
  )

  it('asks nobody when it is known to be offline', async () => {
    const { admissions, log, send } = bench({ online: () => false })
    await admissions.present('A1:X', 1)
    expect(send).not.toHaveBeenCalled()
    expect(log).toEqual(['write intent+entry', 'decided'])
  })

  it('lets nobody in whom the server does not take, and ends the record', async () => {
    const { admissions, log, states, answers, settle } = bench()
    await admissions.present('A1:X', 1)
    answers[0]?.fail(new Problem({ detail: 'Bad gate.' }, 400))
    await settle()
    expect(states.at(-1)).toEqual({ kind: 'failed', message: 'Bad gate.' })
    expect(log.at(-1)).toBe('write entry')
  })

  it('tells when this device is shut out', async () => {
    const { admissions, deps, answers, settle } = bench()
    await admissions.present('A1:X', 1)
    answers[0]?.fail(new Problem({ code: 'device_revoked' }, 401))
    await settle()
    expect(deps.shutOut).toHaveBeenCalledOnce()
  })
})

describe('a disk that refuses', () => {
  const full = async () => {
    throw new DOMException('full', 'QuotaExceededError')
  }

  it('gives no green without the server, and takes the entry back', async () => {
    const write = vi.fn(full)
    const { admissions, states, settle } = bench({ write, online: () => false })
    await admissions.present('A1:X', 1)
    await settle()
    expect(states.map(state => state.kind)).toEqual(['cannot_keep'])
    expect(write).toHaveBeenLastCalledWith([expect.objectContaining({ kind: 'entry' })], [expect.any(String)])
  })

  it('promises the server no record, and lets it keep one itself', async () => {
    const { admissions, log, states, answers, settle } = bench({ write: full })
    await admissions.present('A1:X', 1)
    answers[0]?.settle(admitted)
    await settle()
    expect(log).toContain('ask false')
    expect(states.at(-1)?.kind).toBe('answered')
  })

  it('gives no green when it fails between the promise and the record', async () => {
    let writes = 0
    const write = async () => {
      writes += 1
      if (writes > 1) await full()
    }
    const { admissions, states, answers, settle } = bench({ write })
    await admissions.present('A1:X', 1)
    answers[0]?.settle(admitted)
    await settle()
    expect(states.at(-1)?.kind).toBe('cannot_keep')
  })

  it('is not asked again before it takes records: the server answers alone, or nobody', async () => {
    const online = bench({ keeps: () => false })
    await online.admissions.present('A1:X', 1)
    expect(online.deps.server?.present).toHaveBeenCalledOnce()
    const offline = bench({ keeps: () => false, online: () => false })
    await offline.admissions.present('A1:X', 1)
    expect(offline.states.map(state => state.kind)).toEqual(['cannot_keep'])
  })
})

describe('what the device cannot judge', () => {
  it('goes to the server', async () => {
    const { admissions, deps } = bench()
    await admissions.present('HS256', 1)
    expect(deps.server?.present).toHaveBeenCalledWith(expect.anything(), null)
  })

  it('is refused unread when it is forged, and the server hears of it', async () => {
    const { admissions, deps } = bench()
    await admissions.present('FORGED', 1)
    const refusal = expect.objectContaining({ reason: 'invalid' })
    expect(deps.server?.present).toHaveBeenCalledWith(expect.anything(), refusal)
  })

  it('goes nowhere in a rehearsal', async () => {
    const { admissions, states, send } = bench({ server: null, online: () => false })
    await admissions.present('HS256', 1)
    await admissions.present('FORGED', 1)
    expect(states.map(state => state.kind)).toEqual(['server_only', 'judged'])
    expect(send).not.toHaveBeenCalled()
  })

  it('is nothing at all when it cannot be a code', async () => {
    const { admissions, states, send, log } = bench()
    for (const code of ['x'.repeat(601), 'ö'.repeat(301), 'A1:\u0000', '\ud800', ''])
      await admissions.present(code, 1)
    expect(states.map(state => state.kind)).toEqual(Array(5).fill('not_a_code'))
    expect(send).not.toHaveBeenCalled()
    expect(log.some(line => line.startsWith('write'))).toBe(false)
  })

  it('is asked of the server when the core has a fault', async () => {
    const broken = {
      ...core(),
      present: () => {
        throw new Error('unreachable')
      },
    }
    const { admissions, deps } = bench({ core: broken })
    await admissions.present('A1:X', 1)
    expect(deps.server?.present).toHaveBeenCalledWith(expect.anything(), null)
  })
})

it('tells the outbox of each entry, and of nothing else', async () => {
  const { admissions, deps, answers, settle } = bench()
  await admissions.present('A1:X', 1)
  expect(deps.written).not.toHaveBeenCalled()
  answers[0]?.settle(admitted)
  await settle()
  expect(deps.written).toHaveBeenCalledOnce()
})
