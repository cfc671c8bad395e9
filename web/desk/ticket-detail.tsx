// One ticket: who, what happened to it, and what may be done with it.
import { useState } from 'preact/hooks'
import {
  eraseTicket,
  getDeskTicket,
  getTicketPdf,
  reinstateTicket,
  reissueTicket,
  revokeTicket,
} from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { DeskEvent, DeskTicket, DeskTicketDetail, RevokeReason } from '../lib/api/types.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { CopyButton } from '../lib/ui/copy-button.tsx'
import { Field } from '../lib/ui/field.tsx'
import { saveFile } from '../lib/ui/save-file.ts'
import { ScanRow } from './live-page.tsx'
import { Loaded } from './loaded.tsx'
import { eventPath, go, ticketPath } from './router.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'
import { StatusTag } from './ticket-status.tsx'

export function TicketDetail({ event, number }: { event: DeskEvent; number: string }) {
  return (
    <div class="stack narrow">
      <p class="small">
        <a href={eventPath(event.slug, 'tickets')}>{t('back_to_tickets')}</a>
      </p>
      <Loaded of={number} load={() => getDeskTicket(event.slug, number)}>
        {(ticket, _change, reload) => <Detail event={event} ticket={ticket} reload={reload} />}
      </Loaded>
    </div>
  )
}

const revokeReasons: [RevokeReason, () => string][] = [
  ['lost', () => t('reason_lost')],
  ['refunded', () => t('reason_refunded')],
  ['duplicate', () => t('reason_duplicate')],
  ['fraud', () => t('reason_fraud')],
  ['other', () => t('reason_other')],
]

type DetailProps = { event: DeskEvent; ticket: DeskTicketDetail; reload: () => void }

function Detail({ event, ticket, reload }: DetailProps) {
  const [asking, setAsking] = useState<'revoke' | 'erase' | 'reissue' | null>(null)
  const [reason, setReason] = useState<RevokeReason>('lost')
  const [busy, setBusy] = useState(false)
  const [done, setDone] = useState<string | null>(null)
  const [error, setError] = useState<string | null>(null)

  const act = async (action: () => Promise<DeskTicket | undefined>, text: string | null) => {
    setBusy(true)
    setError(null)
    setDone(null)
    try {
      await action()
      setDone(text)
      if (text) reload()
    } catch (failure) {
      setError(failure instanceof Problem ? failure.message : t('no_answer'))
    } finally {
      setBusy(false)
      setAsking(null)
    }
  }
  const pdf = async () => {
    saveFile(await getTicketPdf(event.slug, ticket.number), `ticket-${ticket.number}.pdf`)
    return undefined
  }
  const reissue = async () => {
    const anew = await reissueTicket(event.slug, ticket.number)
    go(ticketPath(event.slug, anew.number))
    return undefined
  }
  /** It went to another holder or phone: another ticket is good in its place. */
  const gone = ticket.status === 'transferred'
  const zone = event.time_zone
  const answers = Object.entries(ticket.answers)
  const label = (key: string) => event.questions.find(question => question.key === key)?.label ?? key

  return (
    <>
      <section class="card stack">
        <div class="row apart">
          <h2 class="mono">{ticket.number}</h2>
          <StatusTag ticket={ticket} />
        </div>
        <dl class="pairs">
          <dt>{t('holder')}</dt>
          <dd>{ticket.erased ? <em class="soft">{t('erased')}</em> : <bdi>{ticket.name ?? '–'}</bdi>}</dd>
          {ticket.email && (
            <>
              <dt>{t('email')}</dt>
              <dd>{ticket.email}</dd>
            </>
          )}
          {ticket.phone && (
            <>
              <dt>{t('phone')}</dt>
              <dd>{ticket.phone}</dd>
            </>
          )}
          <dt>{t('type')}</dt>
          <dd dir="auto">{ticket.ticket_type.name}</dd>
          <dt>{t('uses')}</dt>
          <dd class="numeric">
            {ticket.max_uses === 0
              ? t('uses_value_unlimited', { uses: ticket.uses })
              : t('uses_value', { uses: ticket.uses, max: ticket.max_uses })}
          </dd>
          <dt>{t('issued_at')}</dt>
          <dd class="numeric">{momentIn(zone, ticket.issued_at)}</dd>
          {answers.map(([key, value]) => (
            <>
              <dt dir="auto">{label(key)}</dt>
              <dd dir="auto">{value}</dd>
            </>
          ))}
        </dl>
        {error && (
          <p class="notice bad" role="alert">
            {error}
          </p>
        )}
        <p class={done ? 'notice good' : 'hidden-text'} role="status">
          {done}
        </p>
        <div class="row">
          {ticket.rotation === 'none' ? (
            <>
              <button class="button quiet" type="button" disabled={busy} onClick={() => void act(pdf, null)}>
                {t('pdf')}
              </button>
              <a class="button quiet" href={ticket.access_url} target="_blank" rel="noopener">
                {t('ticket_page')}
              </a>
            </>
          ) : (
            <CopyButton
              text={() => new URL(ticket.access_url, location.href).href}
              label={t('ticket_link')}
              words={{
                copy: t('ticket_link'),
                copied: t('ticket_link_copied'),
                failed: t('ticket_link_failed'),
              }}
            />
          )}
        </div>
        {ticket.rotation !== 'none' && <p class="small">{t('ticket_link_why')}</p>}
        {mayWrite.value && (
          <div class="row danger-row">
            {ticket.status !== 'revoked' && !gone && (
              <button class="button quiet" type="button" disabled={busy} onClick={() => setAsking('reissue')}>
                {t('reissue')}
              </button>
            )}
            {gone ? null : ticket.status === 'revoked' ? (
              <button
                class="button quiet"
                type="button"
                disabled={busy}
                onClick={() =>
                  void act(() => reinstateTicket(event.slug, ticket.number), t('done_reinstated'))
                }
              >
                {t('reinstate')}
              </button>
            ) : (
              <button class="button danger" type="button" disabled={busy} onClick={() => setAsking('revoke')}>
                {t('revoke')}
              </button>
            )}
            {!ticket.erased && (
              <button class="button danger" type="button" disabled={busy} onClick={() => setAsking('erase')}>
                {t('erase')}
              </button>
            )}
          </div>
        )}
      </section>
      <section class="card stack">
        <h3>{t('history')}</h3>
        {ticket.scans.length === 0 ? (
          <p class="soft">{t('history_none')}</p>
        ) : (
          <ol class="plain">
            {ticket.scans.map((scan, index) => (
              <ScanRow key={scan.seq ?? index} scan={scan} event={event} />
            ))}
          </ol>
        )}
      </section>
      {asking === 'revoke' && (
        <Confirm
          title={t('revoke_title')}
          yes={t('revoke')}
          no={t('cancel')}
          busy={busy}
          onYes={() => void act(() => revokeTicket(event.slug, ticket.number, reason), t('done_revoked'))}
          onNo={() => setAsking(null)}
        >
          <p>{t('revoke_text')}</p>
          <Field name="reason" label={t('revoke_reason')}>
            {control => (
              <select {...control} onChange={change => setReason(change.currentTarget.value as RevokeReason)}>
                {revokeReasons.map(([value, text]) => (
                  <option key={value} value={value} selected={value === reason}>
                    {text()}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </Confirm>
      )}
      {asking === 'reissue' && (
        <Confirm
          title={t('reissue_title')}
          yes={t('reissue')}
          no={t('cancel')}
          busy={busy}
          onYes={() => void act(reissue, null)}
          onNo={() => setAsking(null)}
        >
          <p>{t('reissue_text')}</p>
        </Confirm>
      )}
      {asking === 'erase' && (
        <Confirm
          title={t('erase_title')}
          yes={t('erase_yes')}
          no={t('cancel')}
          busy={busy}
          onYes={() => void act(() => eraseTicket(event.slug, ticket.number), t('done_erased'))}
          onNo={() => setAsking(null)}
        >
          <p>{t('erase_text')}</p>
        </Confirm>
      )}
    </>
  )
}
