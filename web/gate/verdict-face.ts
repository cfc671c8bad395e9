// How a scan looks: its tone, its one word, and the sentences under it, in the order in which a steward needs them.
import type { Verdict, VerdictTicket } from '../lib/api/types.ts'
import { reasonTitle } from '../lib/i18n/reasons.ts'
import { preciseTimeIn } from '../lib/time/zone.ts'
import type { Judgement, Scan, ScanState } from './scan.ts'
import { gateNamed } from './state.ts'
import { plural, t } from './texts.ts'

export type Tone = 'ready' | 'asking' | 'wait' | 'admit' | 'out' | 'refuse' | 'undo'

export type Face = {
  tone: Tone
  word: string
  /** Reason first, then who, when and where. */
  lines: string[]
  /** The holder's name, only where the event shows it. */
  name: string | null
  ticket: string | null
  /** How it was decided, where that is worth a word. */
  note?: string
}

const ticketLine = (ticket: VerdictTicket | null) =>
  ticket ? `${ticket.type_name} · ${ticket.number}` : null

const MINUTE_MS = 60_000

/** Of a ticket without a name the gate says what kind it is and how long it is good, and nothing else. */
function namelessLine(ticket: VerdictTicket, at: string): string {
  const left = ticket.expires_at ? Date.parse(ticket.expires_at) - Date.parse(at) : Number.NaN
  if (!(left > 0)) return ticket.type_name
  const minutes = Math.max(1, Math.floor(left / MINUTE_MS))
  const span = minutes < 600 ? t('minutes', { minutes }) : t('hours', { hours: Math.floor(minutes / 60) })
  return `${ticket.type_name} · ${t('expires_in', { span })}`
}

function admitFace(ticket: VerdictTicket | null, at: string, lines: string[], name: string | null): Face {
  const admit = { tone: 'admit', word: t('admit') } as const
  return ticket?.anonymous
    ? { ...admit, lines: [], name: null, ticket: namelessLine(ticket, at) }
    : { ...admit, lines, name, ticket: ticketLine(ticket) }
}

export function faceOf(scan: Scan, zone: string): Face {
  const state = scan.state
  switch (state.kind) {
    case 'asking':
      return { tone: 'asking', word: t('asking'), lines: [], name: null, ticket: null }
    case 'server_only':
      return {
        tone: 'wait',
        word: t('server_only'),
        lines: [t('server_only_hint')],
        name: null,
        ticket: null,
      }
    case 'cannot_keep':
      return {
        tone: 'refuse',
        word: t('cannot_keep'),
        lines: [t('cannot_keep_hint')],
        name: null,
        ticket: null,
      }
    case 'let_out':
      return {
        tone: 'wait',
        word: t('let_out'),
        lines: [
          state.why === 'offline'
            ? t('let_out_hint')
            : state.why === 'late'
              ? t('let_out_late')
              : state.why.said,
        ],
        name: null,
        ticket: null,
      }
    case 'taken_back':
      return { tone: 'undo', word: t('undone'), lines: [t('undone_hint')], name: null, ticket: null }
    case 'not_a_code':
      return {
        tone: 'refuse',
        word: reasonTitle('invalid'),
        lines: [t('not_a_code')],
        name: null,
        ticket: null,
      }
    case 'failed':
      return { tone: 'refuse', word: t('failed'), lines: [state.message], name: null, ticket: null }
    case 'judged':
      return refusalFace(state.local, zone)
    case 'decided':
      return decidedFace(state, zone, scan.at)
    case 'answered':
      return verdictFace(state.verdict, zone)
  }
}

function refusalFace(local: Judgement, zone: string): Face {
  const lines = [local.message]
  if (local.first && /used|exhausted/.test(local.reason ?? ''))
    lines.push(firstUsed(zone, local.first.at, gateNamed(local.first.gate)))
  return {
    tone: 'refuse',
    word: reasonTitle(local.reason),
    lines: lines.filter(Boolean),
    name: null,
    ticket: ticketLine(local.ticket),
  }
}

/** The device's own word; who reads OFFLINE above it knows why. */
function decidedFace(state: Extract<ScanState, { kind: 'decided' }>, zone: string, at: string): Face {
  const { local, name } = state
  if (state.verdict === 'refuse') return { ...refusalFace(local, zone), name }
  const lines = entryLines(state.use, local.maxUses, state.usesRemaining)
  return { ...admitFace(local.ticket, at, lines, name), note: t('decided_here') }
}

const firstUsed = (zone: string, moment: string, gate: string | null) => {
  const at = preciseTimeIn(zone, moment)
  return gate ? t('first_used', { at, gate }) : t('first_used_at', { at })
}

function verdictFace(verdict: Verdict, zone: string): Face {
  const ticket = ticketLine(verdict.ticket)
  if (verdict.verdict === 'undo') {
    return { tone: 'undo', word: t('undone'), lines: [t('undone_hint')], name: verdict.name, ticket }
  }
  if (verdict.verdict === 'refuse') {
    const lines = [verdict.message]
    if (verdict.first_admitted_at && verdict.direction !== 'exit')
      lines.push(firstUsed(zone, verdict.first_admitted_at, verdict.first_gate_name))
    return {
      tone: 'refuse',
      word: reasonTitle(verdict.reason),
      lines: lines.filter(Boolean),
      name: verdict.name,
      ticket,
    }
  }
  if (verdict.direction === 'exit')
    return { tone: 'out', word: t('left'), lines: [t('left_hint')], name: verdict.name, ticket }
  const lines = entryLines(verdict.use, verdict.max_uses, verdict.uses_remaining)
  return admitFace(verdict.ticket, verdict.at, lines, verdict.name)
}

/** A ticket for one entry says nothing more than ADMIT; one for several says which this is. */
function entryLines(use: number | null, max: number | null, left: number | null): string[] {
  if (max === 1 || use === null) return []
  const entry = max ? t('entry_of', { use, max }) : t('entry_number', { use })
  return left === null ? [entry] : [`${entry}, ${plural('remaining', left)}`]
}
