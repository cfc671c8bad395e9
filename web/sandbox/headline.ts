// One line that says what an answer means.
import { t } from './texts.ts'

export type Headline = { tone: 'good' | 'bad' | 'plain'; text: string }

/** What a headline is made from. */
export type Told = { where: 'server' | 'browser'; status: number | null; answer: unknown }

type Loose = {
  code?: string
  detail?: string
  error?: string
  token?: string
  ticketId?: string | null
  revoked?: boolean
  reason?: string | null
  admitted?: boolean
  signatureValid?: boolean | null
  usesRemaining?: number | null
  policy?: { allowed: boolean; reason?: string | null; usesRemaining?: number | null }
  crypto?: { signatureValid: boolean }
  learnt?: number
  entries?: unknown[]
  stored?: number
  duplicates?: number
  conflicts?: unknown[]
  signer?: string
}

const left = (uses: number | null | undefined) =>
  uses === null || uses === undefined ? t('uses_any') : t('uses_left', { count: uses })

const signature = (valid: boolean | null | undefined) =>
  valid === true ? t('signature_right') : valid === false ? t('signature_wrong') : t('signature_unseen')

export function headlineOf(told: Told): Headline {
  if (told.where === 'server' && told.status === null) return { tone: 'bad', text: t('no_answer') }
  const { answer } = told
  if (Array.isArray(answer)) return { tone: 'plain', text: t('head_list', { count: answer.length }) }
  if (typeof answer !== 'object' || answer === null) return { tone: 'plain', text: t('head_text') }
  const body = answer as Loose
  if (body.error) return { tone: 'bad', text: body.error }
  if (body.code && body.detail !== undefined) return { tone: 'bad', text: `${body.detail} (${body.code})` }
  if (body.token) return { tone: 'good', text: t('head_issued', { number: body.ticketId ?? '' }) }
  const judged = body.policy ?? (body.admitted === undefined ? null : { ...body, allowed: body.admitted })
  if (judged) {
    const words = signature(body.crypto ? body.crypto.signatureValid : body.signatureValid)
    return judged.allowed
      ? { tone: 'good', text: `${t('head_allowed')} ${left(judged.usesRemaining)}` }
      : { tone: 'bad', text: `${t('head_denied', { reason: judged.reason ?? '' })} ${words}` }
  }
  if (body.revoked) return { tone: 'good', text: t('head_revoked') }
  if (body.learnt !== undefined) return { tone: 'plain', text: t('head_learnt', { count: body.learnt }) }
  if (body.entries) return { tone: 'plain', text: t('head_entries', { count: body.entries.length }) }
  if (body.stored !== undefined) {
    const numbers = {
      stored: body.stored,
      known: body.duplicates ?? 0,
      conflicts: body.conflicts?.length ?? 0,
    }
    return { tone: numbers.conflicts > 0 ? 'bad' : 'good', text: t('head_synced', numbers) }
  }
  if (body.signer) return { tone: 'good', text: t('head_enrolled', { name: body.signer }) }
  return { tone: 'plain', text: t('head_answered') }
}
