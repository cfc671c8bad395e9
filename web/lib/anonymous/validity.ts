// Whether a ticket without a name is good now, and for how long, in words.

import { translator } from '../i18n/translate.ts'
import { momentIn } from '../time/zone.ts'
import type { KeyTerms } from './purchase.ts'

const { t, plural } = translator({
  from: 'Valid from {at}',
  left: 'Valid, expires in {span}',
  over: 'Expired on {at}',
  minutes: '{count} minute|{count} minutes',
  hours: '{count} hour|{count} hours',
  days: '{count} day|{count} days',
})

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** In the unit that people would say it in, and never more than there is. */
export function spanOf(ms: number): string {
  if (ms >= 2 * DAY_MS) return plural('days', Math.floor(ms / DAY_MS))
  if (ms >= 2 * HOUR_MS) return plural('hours', Math.floor(ms / HOUR_MS))
  return plural('minutes', Math.max(1, Math.floor(ms / MINUTE_MS)))
}

export type Validity = { state: 'early' | 'valid' | 'over'; text: string; tone: 'warn' | 'good' | 'bad' }

export function validityOf(
  { notBefore, expires, zone }: Pick<KeyTerms, 'notBefore' | 'expires' | 'zone'>,
  nowMs: number,
): Validity {
  if (nowMs >= Date.parse(expires)) {
    return { state: 'over', tone: 'bad', text: t('over', { at: momentIn(zone, expires) }) }
  }
  if (notBefore && nowMs < Date.parse(notBefore)) {
    return { state: 'early', tone: 'warn', text: t('from', { at: momentIn(zone, notBefore) }) }
  }
  return {
    state: 'valid',
    tone: 'good',
    text: t('left', { span: spanOf(Date.parse(expires) - nowMs) }),
  }
}
