// One ticket: the kept copy at once, the server's word as soon as it answers.
import { useEffect, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { getTicket, getTicketFile } from '../lib/api/ticket.ts'
import { dropTicket, getKeptTicket, type KeptTicket, keepTicket } from '../lib/db/wallet-db.ts'
import { dayIn, momentIn, timeIn, zoneLabel } from '../lib/time/zone.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { lazy } from '../lib/ui/lazy.tsx'
import { saveFile } from '../lib/ui/save-file.ts'
import { BigCode } from './big-code.tsx'
import { CodePanel, WrongClock } from './code-panel.tsx'
import { t } from './texts.ts'
import { isVoid, mayGive, statusOf } from './ticket-status.ts'
import { useLiveCode } from './use-live-code.ts'

const HandOver = lazy(() => import('./hand-over.tsx').then(part => part.HandOver))
const Asked = lazy(() => import('./asked.tsx').then(part => part.Asked))
const Receipt = lazy(() => import('./receipt.tsx').then(part => part.Receipt))

type State = { kept: KeptTicket | null; fresh: boolean; failure: 'link' | 'network' | null }

async function refresh(access: string): Promise<KeptTicket> {
  const ticket = await getTicket(access)
  // What went is opened by another key: this one's work is done.
  if (ticket.status === 'transferred' && ticket.rotation) {
    await (await import('./binding.ts')).forgetKey(ticket.rotation).catch(() => undefined)
  }
  const checkedAt = new Date().toISOString()
  // A code that changes is drawn on this phone, and one that is void is not shown: there is no picture to fetch.
  const unpictured = ticket.rotation || ticket.status === 'transferred'
  const svg = unpictured ? '' : await (await getTicketFile(access, 'svg')).text()
  return { access, ticket, svg, checkedAt }
}

export function TicketPage({ access }: { access: string }) {
  const [state, setState] = useState<State>({ kept: null, fresh: false, failure: null })
  const load = async () => {
    setState(before => ({ ...before, failure: null }))
    const old = await getKeptTicket(access).catch(() => undefined)
    if (old) setState({ kept: old, fresh: false, failure: null })
    try {
      const kept = await refresh(access)
      setState({ kept, fresh: true, failure: null })
      // Asked only once there is something worth keeping; a browser that refuses still shows the ticket.
      await keepTicket(kept).catch(() => undefined)
      await navigator.storage?.persist?.()
    } catch (error) {
      setState({ kept: old ?? null, fresh: false, failure: error instanceof Problem ? 'link' : 'network' })
    }
  }
  useEffect(() => {
    void load()
    const again = () => document.visibilityState === 'visible' && void load()
    document.addEventListener('visibilitychange', again)
    addEventListener('online', again)
    return () => {
      document.removeEventListener('visibilitychange', again)
      removeEventListener('online', again)
    }
  }, [])

  const onBound = (kept: KeptTicket) => {
    setState(before => ({ ...before, kept }))
    void keepTicket(kept).catch(() => undefined)
  }

  if (state.kept) return <TicketView kept={state.kept} state={state} onBound={onBound} reload={load} />
  if (!state.failure) return <p class="waiting">{t('loading')}</p>
  return (
    <div class="card stack" role="alert">
      <h1>{t('bad_link')}</h1>
      <p>{state.failure === 'link' ? t('bad_link_hint') : t('no_answer')}</p>
      <div>
        <button class="button quiet" type="button" onClick={() => void load()}>
          {t('try_again')}
        </button>
      </div>
    </div>
  )
}

type TicketViewProps = {
  kept: KeptTicket
  state: State
  onBound: (kept: KeptTicket) => void
  reload: () => void
}

function TicketView({ kept, state, onBound, reload }: TicketViewProps) {
  const [big, setBig] = useState(false)
  const [removing, setRemoving] = useState(false)
  const [failed, setFailed] = useState(false)
  const [checking, setChecking] = useState(false)
  const [asked, setAsked] = useState(false)
  const [reads, setReads] = useState(false)
  const [going, setGoing] = useState<'give' | 'move' | null>(null)
  const { ticket } = kept
  const { event } = ticket
  const zone = event.time_zone
  const status = statusOf(ticket)
  const gone = ticket.status === 'transferred'
  const live = useLiveCode(kept, state.fresh, onBound)
  const svg = live ? (live.code?.svg ?? '') : kept.svg

  useEffect(() => {
    document.title = `${event.name} · ${ticket.number}`
  }, [ticket.number])

  const { rotation } = ticket
  const answers = Boolean(rotation && live?.code) && !isVoid(ticket)
  // At the gate there may be no network: what reads a gate's question is kept ahead, after everything else.
  useEffect(() => {
    if (answers && state.fresh) {
      void Asked.preload()
      import('../lib/camera/decoder.ts')
        .then(part => part.keepDecoder())
        .then(() => setReads(true))
        .catch(() => undefined)
    }
  }, [answers, state.fresh])

  const file = async (kind: 'pdf' | 'ics') => {
    setFailed(false)
    try {
      saveFile(await getTicketFile(kept.access, kind), `ticket-${ticket.number}.${kind}`)
    } catch {
      setFailed(true)
    }
  }

  return (
    <article class="ticket" data-reads-offline={reads || undefined}>
      <div class="stub-lift">
        <div class={`paper ${live ? 'live' : ''}`}>
          <CodePanel kept={kept} live={live} status={status} onBig={() => setBig(true)} />
          <div class="paper-face">
            <h1 dir="auto">{event.name}</h1>
            <dl class="facts">
              <div>
                <dt class="label">{t('holder')}</dt>
                <dd>
                  {ticket.name ? <bdi>{ticket.name}</bdi> : gone ? '–' : <em class="soft">{t('erased')}</em>}
                </dd>
              </div>
              <div>
                <dt class="label">{t('type')}</dt>
                <dd dir="auto">{ticket.ticket_type.name}</dd>
              </div>
              <div class="wide">
                <dt class="label">{t('when')}</dt>
                <dd>
                  {dayIn(zone, event.starts_at)}
                  <br />
                  <span class="numeric">
                    {event.doors_at && `${t('doors')} ${timeIn(zone, event.doors_at)} · `}
                    {t('starts')} {timeIn(zone, event.starts_at)}
                  </span>{' '}
                  <span class="small soft">{zoneLabel(zone, event.starts_at)}</span>
                </dd>
              </div>
              <div class="wide">
                <dt class="label">{t('where')}</dt>
                <dd dir="auto">{event.venue}</dd>
              </div>
              {ticket.gates.length > 0 && (
                <div>
                  <dt class="label">{t('gates')}</dt>
                  <dd>{ticket.gates.join(', ')}</dd>
                </div>
              )}
              {ticket.max_uses !== 1 && (
                <div>
                  <dt class="label">{t('uses')}</dt>
                  <dd>
                    {ticket.max_uses === 0
                      ? t('uses_unlimited', { uses: ticket.uses })
                      : t('uses_of', { uses: ticket.uses, max: ticket.max_uses })}
                  </dd>
                </div>
              )}
              {(ticket.valid_from || ticket.valid_until) && (
                <div class="wide">
                  <dt class="label">{t('valid')}</dt>
                  <dd>
                    {ticket.valid_from && t('valid_from', { at: momentIn(zone, ticket.valid_from) })}{' '}
                    {ticket.valid_until && t('valid_until', { at: momentIn(zone, ticket.valid_until) })}
                  </dd>
                </div>
              )}
            </dl>
          </div>
        </div>
      </div>

      <div aria-live="polite">
        <WrongClock live={live} />
      </div>
      {ticket.status === 'revoked' && (
        <p class="notice bad" role="alert">
          {t('revoked_hint')}
        </p>
      )}
      {gone && (
        <p class="notice bad" role="alert">
          {t('transferred_hint')}
        </p>
      )}
      {ticket.transfer?.state === 'asked' && <p class="notice warn">{t('asked')}</p>}
      <div class="actions">
        {!gone && (
          <button
            class="button"
            type="button"
            onClick={() => setBig(true)}
            disabled={isVoid(ticket) || svg === ''}
          >
            {t('show_big')}
          </button>
        )}
        {!live && !gone && (
          <button class="button quiet" type="button" onClick={() => void file('pdf')}>
            {t('pdf')}
          </button>
        )}
        <button class="button quiet" type="button" onClick={() => void file('ics')}>
          {t('calendar')}
        </button>
        {mayGive(ticket) && (
          <button class="button quiet" type="button" onClick={() => setGoing('give')}>
            {t('give')}
          </button>
        )}
        {answers && (
          <button class="button quiet" type="button" onClick={() => setAsked(true)}>
            {t('asked_for_proof')}
          </button>
        )}
        {ticket.transfer && live?.code && !isVoid(ticket) && (
          <button class="button quiet" type="button" onClick={() => setGoing('move')}>
            {t('move')}
          </button>
        )}
      </div>
      <div aria-live="polite">{failed && <p class="notice bad">{t('file_failed')}</p>}</div>
      {ticket.merkle_validation &&
        (checking ? (
          <Receipt ticket={ticket} validation={ticket.merkle_validation} />
        ) : (
          <div>
            <button class="button quiet" type="button" onClick={() => setChecking(true)}>
              {t('receipt')}
            </button>
          </div>
        ))}
      <div class="stack small soft">
        <p role="status">
          {state.fresh
            ? t('checked', { at: timeIn(zone, kept.checkedAt) })
            : state.failure
              ? t('saved_copy', { at: momentIn(zone, kept.checkedAt) })
              : ' '}
        </p>
        <p>
          {!ticket.rotation && !gone && t('private')}
          {ticket.rotation && live?.code && t('private_live', { seconds: ticket.rotation.interval_s })}{' '}
          {!live?.failure && !gone && t('keep_hint')}
        </p>
        {!rotation && !isVoid(ticket) && <p>{t('no_proof')}</p>}
        <p>
          <button class="link-button" type="button" onClick={() => setRemoving(true)}>
            {t('remove')}
          </button>
        </p>
      </div>

      {going && (
        <HandOver
          access={kept.access}
          ticket={ticket}
          to={going}
          onClose={() => setGoing(null)}
          onChanged={reload}
        />
      )}
      {asked && rotation && (
        <Asked
          answerTo={async ask => (await import('./binding.ts')).answerTo(rotation, ask)}
          onClose={() => setAsked(false)}
        />
      )}
      {big && <BigCode svg={svg} live={live} number={ticket.number} onClose={() => setBig(false)} />}
      {removing && (
        <Confirm
          title={t('remove_title')}
          yes={t('remove_yes')}
          no={t('remove_no')}
          onNo={() => setRemoving(false)}
          onYes={() =>
            void dropTicket(kept.access).then(() => {
              setRemoving(false)
              location.hash = ''
            })
          }
        >
          <p>{live ? t('remove_text_live') : t('remove_text')}</p>
        </Confirm>
      )}
    </article>
  )
}
