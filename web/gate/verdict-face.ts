// How a scan looks: its tone, its one word, and the sentences under it, in the order in which a steward needs them.
import type { Verdict, VerdictTicket } from '../lib/api/types.ts'
import { reasonTitle } from '../lib/i18n/reasons.ts'
import { preciseTimeIn } from '../lib/time/zone.ts'
import type { Scan } from './admission.ts'
import { plural, t } from './texts.ts'

export type Tone = 'ready' | 'asking' | 'wait' | 'admit' | 'refuse' | 'undo'

export type Face = {
  tone: Tone
  word: string
  /** Reason first, then who, when and where. */
  lines: string[]
  /** The holder's name, only where the event shows it. */
  name: string | null
  ticket: string | null
}

const ticketLine = (ticket: VerdictTicket | null) =>
  ticket ? `${ticket.type_name} · ${ticket.number}` : null

export function faceOf(scan: Scan, zone: string): Face {
  const state = scan.state
  switch (state.kind) {
    case 'asking':
      return { tone: 'asking', word: t('asking'), lines: [], name: null, ticket: null }
    case 'no_answer':
      return {
        tone: 'wait',
        word: t('no_connection'),
        lines: [t('no_connection_hint')],
        name: null,
        ticket: null,
      }
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
      return {
        tone: 'refuse',
        word: reasonTitle(state.local.reason),
        lines: [state.local.message],
        name: null,
        ticket: ticketLine(state.local.ticket),
      }
    case 'answered':
      return verdictFace(state.verdict, zone)
  }
}

function verdictFace(verdict: Verdict, zone: string): Face {
  const ticket = ticketLine(verdict.ticket)
  if (verdict.verdict === 'undo') {
    return { tone: 'undo', word: t('undone'), lines: [t('undone_hint')], name: verdict.name, ticket }
  }
  if (verdict.verdict === 'refuse') {
    const lines = [verdict.message]
    if (verdict.first_admitted_at) {
      const at = preciseTimeIn(zone, verdict.first_admitted_at)
      lines.push(
        verdict.first_gate_name
          ? t('first_used', { at, gate: verdict.first_gate_name })
          : t('first_used_at', { at }),
      )
    }
    return {
      tone: 'refuse',
      word: reasonTitle(verdict.reason),
      lines: lines.filter(Boolean),
      name: verdict.name,
      ticket,
    }
  }
  return { tone: 'admit', word: t('admit'), lines: entryLines(verdict), name: verdict.name, ticket }
}

/** A ticket for one entry says nothing more than ADMIT; one for several says which this is. */
function entryLines(verdict: Verdict): string[] {
  if (verdict.max_uses === 1 || verdict.use === null) return []
  const use = verdict.use
  const entry = verdict.max_uses ? t('entry_of', { use, max: verdict.max_uses }) : t('entry_number', { use })
  const left = verdict.uses_remaining
  return left === null ? [entry] : [`${entry}, ${plural('remaining', left)}`]
}
