// The half of the paper with the code: the server's picture, or the code that this phone makes anew, or why there is none.
import type { KeptTicket } from '../lib/db/wallet-db.ts'
import { span } from '../lib/rotation/clock.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { t } from './texts.ts'
import { isVoid } from './ticket-status.ts'
import type { Live } from './use-live-code.ts'

type CodePanelProps = {
  kept: KeptTicket
  live: Live | null
  status: { text: string; tone: string }
  onBig: () => void
}

export function CodePanel({ kept, live, status, onBig }: CodePanelProps) {
  const { ticket } = kept
  const svg = live ? (live.code?.svg ?? '') : kept.svg
  return (
    <div class="paper-code">
      {live?.failure ? (
        <div class="notice warn stack" role="alert" data-binding={live.failure}>
          <strong>{t(`${live.failure}_title`)}</strong>
          <p class="small">{t(`${live.failure}_hint`)}</p>
          {live.failure === 'no_answer' && (
            <div>
              <button class="button quiet" type="button" onClick={live.again}>
                {t('try_again')}
              </button>
            </div>
          )}
        </div>
      ) : ticket.status === 'transferred' ? null : (
        <button
          class="code-button"
          type="button"
          onClick={onBig}
          disabled={isVoid(ticket) || svg === ''}
          aria-label={t('show_big')}
        >
          {svg ? <CodeImage svg={svg} alt={t('qr_alt', { number: ticket.number })} /> : <span class="code" />}
        </button>
      )}
      {live?.wanted && !live.failure && <Countdown live={live} />}
      {!live?.failure && (
        <p>
          <span class={`tag ${status.tone}`}>{status.text}</span>
        </p>
      )}
      <p class="mono ticket-number">{ticket.number}</p>
    </div>
  )
}

/** The seconds are for the eye; a screen reader hears only that there is a new code. */
export function Countdown({ live }: { live: Live }) {
  const { code } = live
  return (
    <>
      <p class="small numeric countdown" data-epoch={code?.epoch}>
        {code ? t('refreshes', { seconds: code.seconds }) : t('making')}
      </p>
      <span class="hidden-text" aria-live="polite">
        {code && <span key={code.epoch}>{t('refreshed')}</span>}
      </span>
    </>
  )
}

/** Says it when this phone's clock is wrong by more than an interval. */
export function WrongClock({ live }: { live: Live | null }) {
  const wrong = live?.code?.wrongMs ?? 0
  if (wrong === 0) return null
  return (
    <p class="notice warn" data-wrong-clock>
      {t(wrong > 0 ? 'clock_fast' : 'clock_slow', { span: span(wrong) })}
    </p>
  )
}
