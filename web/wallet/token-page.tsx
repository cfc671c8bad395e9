// A ticket without a name: its code, drawn here, and what may be done with it. Nothing but the exchange needs a network.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { answerFor, canAnswer, forgetHolder } from '../lib/anonymous/holder.ts'
import { newerTerms } from '../lib/anonymous/newer-terms.ts'
import type { Token } from '../lib/anonymous/purchase.ts'
import { validityOf } from '../lib/anonymous/validity.ts'
import { dropToken, getToken } from '../lib/db/anonymous-db.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { momentIn } from '../lib/time/zone.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { Confirm } from '../lib/ui/confirm.tsx'
import { lazy } from '../lib/ui/lazy.tsx'
import { BigCode } from './big-code.tsx'
import { codeOf } from './exchange.ts'
import { TokenExchange } from './token-exchange.tsx'
import { TokenPaper } from './token-paper.tsx'
import { n } from './token-texts.ts'

const Asked = lazy(() => import('./asked.tsx').then(part => part.Asked))

const MINUTE_MS = 60_000
/** White modules around it; the button around the picture adds as much again. */
const MARGIN = 2

export function TokenPage({ number }: { number: string }) {
  const [token, setToken] = useState<Token | null | undefined>(undefined)
  const load = () =>
    getToken(number).then(
      found => setToken(found ?? null),
      () => setToken(null),
    )
  useEffect(() => void load(), [number])
  // What is not good now may be so by a newer word of the organiser; without a network the kept one stands.
  const idle = token ? validityOf(token.terms, Date.now()).state !== 'valid' : false
  useEffect(() => {
    if (!token || !idle) return
    void newerTerms(token).then(
      newer => newer && setToken(newer),
      () => undefined,
    )
  }, [number, idle])
  if (token === undefined) return null
  if (token) return <TokenView token={token} reload={() => void load()} />
  return (
    <div class="card stack">
      <h1>{n('missing')}</h1>
      <p class="soft">{n('missing_hint')}</p>
      <div>
        <a class="button quiet" href="/ticket/">
          {n('your_tickets')}
        </a>
      </div>
    </div>
  )
}

export const validityText = ({ notBefore, expires, zone }: Token['terms']): string => {
  const until = momentIn(zone, expires)
  return notBefore ? n('from_until', { from: momentIn(zone, notBefore), until }) : n('until', { until })
}

/** The time as far as it matters here: by the minute. */
function useNow(): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), MINUTE_MS)
    return () => clearInterval(timer)
  }, [])
  return now
}

/** Whether this phone can answer a gate. What reads the question is kept ahead: at the gate there may be no network. */
function useAnswers(token: Token): boolean {
  const [answers, setAnswers] = useState(false)
  useEffect(() => {
    void canAnswer(token).then(setAnswers)
  }, [token.number])
  useEffect(() => {
    if (!answers) return
    void Asked.preload()
    import('../lib/camera/decoder.ts').then(part => part.keepDecoder()).catch(() => undefined)
  }, [answers])
  return answers
}

function TokenView({ token, reload }: { token: Token; reload: () => void }) {
  const { number, terms } = token
  const [open, setOpen] = useState<'big' | 'exchange' | 'paper' | 'remove' | 'asked' | null>(null)
  const answers = useAnswers(token)
  const svg = useMemo(() => renderSVG(codeOf(token), { ecc: 'M', border: MARGIN }), [number])
  const validity = validityOf(terms, useNow())
  const close = () => setOpen(null)
  const gone = token.exchanged !== null || validity.state === 'over'

  useEffect(() => {
    document.title = `${terms.eventName} · ${number}`
  }, [number])

  return (
    <>
      <article class="ticket" data-token={validity.state}>
        <div class="stub-lift">
          <div class="paper dense">
            <div class="paper-code">
              <button
                class="code-button"
                type="button"
                onClick={() => setOpen('big')}
                disabled={gone}
                aria-label={n('show_big')}
              >
                <CodeImage svg={svg} alt={n('qr_alt', { number })} />
              </button>
              <p>
                <span class={`tag ${validity.tone}`}>{validity.text}</span>
              </p>
              <p class="mono ticket-number">{number}</p>
            </div>
            <div class="paper-face">
              <h1 dir="auto">{terms.eventName}</h1>
              <dl class="facts">
                <div>
                  <dt class="label">{n('type')}</dt>
                  <dd dir="auto">{terms.typeName}</dd>
                </div>
                <div>
                  <dt class="label">{n('day')}</dt>
                  <dd>{terms.day ? dayText(terms.day) : n('whole_event')}</dd>
                </div>
                <div class="wide">
                  <dt class="label">{n('validity')}</dt>
                  <dd>{validityText(terms)}</dd>
                </div>
              </dl>
              <p>
                <span class="tag">{n('no_name')}</span>
              </p>
            </div>
          </div>
        </div>
        {token.exchanged && (
          <div class="notice stack tight">
            <p>{n('exchanged')}</p>
            <div>
              <a class="button" href={`#${token.exchanged}`}>
                {n('open_other')}
              </a>
            </div>
          </div>
        )}
        <div class="actions">
          {!gone && (
            <>
              <button class="button" type="button" onClick={() => setOpen('big')}>
                {n('show_big')}
              </button>
              {answers && (
                <button class="button quiet" type="button" onClick={() => setOpen('asked')}>
                  {n('asked')}
                </button>
              )}
              <button class="button quiet" type="button" onClick={() => setOpen('exchange')}>
                {n('exchange')}
              </button>
              <button class="button quiet" type="button" onClick={() => setOpen('paper')}>
                {n('paper')}
              </button>
            </>
          )}
          <a class="button quiet" href="#backup">
            {n('backup')}
          </a>
        </div>
        <div class="stack small soft">
          {!gone && <p>{n('private')}</p>}
          <p>{n('kept')}</p>
          <p>
            <button class="link-button" type="button" onClick={() => setOpen('remove')}>
              {n('remove')}
            </button>
          </p>
        </div>
      </article>
      {open === 'big' && <BigCode svg={svg} live={null} number={number} onClose={close} />}
      {open === 'asked' && <Asked answerTo={ask => answerFor(token, ask)} onClose={close} />}
      {open === 'exchange' && <TokenExchange token={token} onClose={close} onDone={reload} />}
      {open === 'paper' && <TokenPaper token={token} onClose={close} />}
      {open === 'remove' && (
        <Confirm
          title={n('remove_title')}
          yes={n('remove_yes')}
          no={n('remove_no')}
          onNo={close}
          onYes={() =>
            void Promise.all([dropToken(number), forgetHolder(number)]).then(() => {
              location.hash = ''
            })
          }
        >
          <p>{n('remove_text')}</p>
        </Confirm>
      )}
    </>
  )
}
