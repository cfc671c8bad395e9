// The live page: how many are in, how fast they come, what each gate does, and what is refused as it happens.
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { DeskEvent, Scan, Stats } from '../lib/api/types.ts'
import { reasonTitle } from '../lib/i18n/reasons.ts'
import { preciseTimeIn } from '../lib/time/zone.ts'
import { Arrivals } from './arrivals.tsx'
import { useDoubles } from './doubles.ts'
import { openFeed } from './live-feed.ts'
import { eventPath, ticketPath } from './router.ts'
import { t } from './texts.ts'

const number = (value: number) => value.toLocaleString('en-GB')

export function LivePage({ event }: { event: DeskEvent }) {
  const [feed, setFeed] = useState<ReturnType<typeof openFeed> | null>(null)
  useEffect(() => {
    const opened = openFeed(event.slug)
    setFeed(opened)
    return opened.close
  }, [event.slug])
  const state = feed?.state.value
  const connection = feed?.connection.value ?? 'starting'
  const zone = event.time_zone
  return (
    <div class="live">
      <h2 class="hidden-text">{t('live')}</h2>
      <p class="live-state small" role="status">
        <span class={`pulse ${connection}`} />
        {connection === 'live'
          ? t('live_on')
          : connection === 'waiting'
            ? t('live_waiting')
            : t('live_starting')}
        {state?.stats && (
          <span class="soft numeric"> · {t('as_of', { at: preciseTimeIn(zone, state.stats.as_of) })}</span>
        )}
      </p>
      {!state?.stats ? (
        <p class="waiting">{t('loading')}</p>
      ) : (
        <>
          <Figures stats={state.stats} event={event} />
          <div class="live-grid">
            <div class="stack">
              <Gates stats={state.stats} />
              <section class="card stack">
                <h3>{t('arrivals')}</h3>
                <Arrivals stats={state.stats} zone={zone} />
              </section>
            </div>
            <div class="stack">
              <Refusals stats={state.stats} scans={state.refusals} event={event} />
              <Recent scans={state.scans} event={event} />
            </div>
          </div>
        </>
      )}
    </div>
  )
}

/** Whether people are scanned out at this event: then it is known who is inside. */
const hasExits = (event: DeskEvent) => event.ticket_types.some(type => type.pass.exits)

function Figures({ stats, event }: { stats: Stats; event: DeskEvent }) {
  const doubles = useDoubles(event.slug, stats.entries)?.length ?? 0
  const inside = stats.exits > 0 || hasExits(event)
  const share = stats.issued === 0 ? 0 : Math.min(1, stats.admitted / stats.issued)
  return (
    <div class="stub-lift">
      <section class="stub figures">
        <div class="figure-main">
          <p class="figure">
            <strong class="numeric" data-figure="admitted">
              {number(stats.admitted)}
            </strong>{' '}
            <span>{t('inside')}</span>
          </p>
          <progress
            value={share}
            max={1}
            aria-label={t('progress', { admitted: number(stats.admitted), issued: number(stats.issued) })}
          />
          <p class="soft numeric">
            {t('of_issued', { issued: number(stats.issued), capacity: number(stats.capacity) })}
          </p>
        </div>
        <dl class="figure-side numeric">
          <div>
            <dd data-figure="rate">{number(stats.rate_per_minute)}</dd>
            <dt>{t('rate')}</dt>
          </div>
          <div>
            <dd data-figure="entries">{number(stats.entries)}</dd>
            <dt>{t('entries')}</dt>
          </div>
          {inside && (
            <div>
              <dd data-figure="inside">{number(stats.inside)}</dd>
              <dt>{t('now_inside')}</dt>
            </div>
          )}
          <div>
            <dd data-figure="refused">{number(stats.refused)}</dd>
            <dt>{t('refused')}</dt>
          </div>
          {doubles > 0 && (
            <div class="alarm">
              <dd>
                <a href={eventPath(event.slug, 'doubles')} data-figure="doubles">
                  {number(doubles)}
                </a>
              </dd>
              <dt>{t('double_entries')}</dt>
            </div>
          )}
        </dl>
      </section>
    </div>
  )
}

function Gates({ stats }: { stats: Stats }) {
  const most = Math.max(1, ...stats.gates.map(gate => gate.admitted))
  return (
    <section class="card stack">
      <h3 id="gates-title">{t('per_gate')}</h3>
      {stats.gates.length === 0 ? (
        <p class="soft">{t('no_gates_yet')}</p>
      ) : (
        <table class="numbers" aria-labelledby="gates-title">
          <thead>
            <tr>
              <th scope="col">{t('gate')}</th>
              <th scope="col">{t('admitted')}</th>
              <th scope="col">{t('refused_column')}</th>
              <th scope="col">{t('rate_column')}</th>
            </tr>
          </thead>
          <tbody>
            {stats.gates.map(gate => (
              <tr key={gate.gate}>
                <th scope="row" dir="auto">
                  {gate.name}
                  <meter class="bar-line" value={gate.admitted} max={most} aria-hidden="true" />
                </th>
                <td>{number(gate.admitted)}</td>
                <td>{number(gate.refused)}</td>
                <td>{number(gate.rate_per_minute)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

type FeedProps = { scans: Scan[]; event: DeskEvent }

const scanKey = (scan: Scan, index: number) => (scan.seq === null ? `${scan.at}-${index}` : String(scan.seq))

function Refusals({ stats, scans, event }: FeedProps & { stats: Stats }) {
  const reasons = useMemo(
    () => Object.entries(stats.refusals).sort(([, a], [, b]) => b - a),
    [stats.refusals],
  )
  return (
    <section class="card stack">
      <h3>{t('refusals')}</h3>
      {reasons.length > 0 && (
        <ul class="plain row tight-row">
          {reasons.map(([reason, count]) => (
            <li key={reason} class="tag bad numeric">
              {reasonTitle(reason)} {number(count)}
            </li>
          ))}
        </ul>
      )}
      {scans.length === 0 ? (
        <p class="soft">{t('refusals_none')}</p>
      ) : (
        // Focusable, because it scrolls: keyboards must reach what is below.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region
        <ol class="plain feed" tabIndex={0} aria-label={t('refusals')} data-feed="refusals">
          {scans.map((scan, index) => (
            <ScanRow key={scanKey(scan, index)} scan={scan} event={event} />
          ))}
        </ol>
      )}
    </section>
  )
}

function Recent({ scans, event }: FeedProps) {
  return (
    <section class="card stack">
      <h3>{t('recent')}</h3>
      {scans.length === 0 ? (
        <div>
          <p>{t('recent_none')}</p>
          <p class="soft">
            <a href={eventPath(event.slug, 'devices')}>{t('recent_none_hint')}</a>
          </p>
        </div>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region
        <ol class="plain feed" tabIndex={0} aria-label={t('recent')} data-feed="scans">
          {scans.map((scan, index) => (
            <ScanRow key={scanKey(scan, index)} scan={scan} event={event} />
          ))}
        </ol>
      )}
    </section>
  )
}

const verdicts: Record<Scan['verdict'], { tone: string; mark: string; text?: () => string }> = {
  admit: { tone: 'good', mark: '✓', text: () => t('admit') },
  refuse: { tone: 'bad', mark: '✕' },
  undo: { tone: 'warn', mark: '↶', text: () => t('undo') },
  exit: { tone: 'plain', mark: '←', text: () => t('exit') },
}

/** A ticket without a name has no page. A server that does not say which it is leaves its type to go by. */
const hasNoPage = (scan: Scan, event: DeskEvent): boolean =>
  scan.anonymous ?? event.ticket_types.some(({ name, sale }) => sale && name === scan.ticket_type)

export function ScanRow({ scan, event }: { scan: Scan; event: DeskEvent }) {
  const { tone, mark, text } = verdicts[scan.verdict]
  const word = text ? text() : reasonTitle(scan.reason)
  const place = [scan.gate_name, scan.device_name && t('via', { device: scan.device_name })]
    .filter(Boolean)
    .join(' ')
  return (
    <li class="scan" data-verdict={scan.verdict}>
      <time class="numeric small soft" dateTime={scan.at}>
        {preciseTimeIn(event.time_zone, scan.at)}
      </time>
      <span class="scan-what">
        <span class={`tag ${tone}`}>
          <span aria-hidden="true">{mark}</span> {word}
        </span>{' '}
        {scan.ticket_number && hasNoPage(scan, event) ? (
          <span class="mono small">{scan.ticket_number}</span>
        ) : scan.ticket_number ? (
          <a class="mono small" href={ticketPath(event.slug, scan.ticket_number)}>
            {scan.ticket_number}
          </a>
        ) : (
          scan.verdict === 'refuse' && <span class="small soft">{t('unknown_ticket')}</span>
        )}
        <span class="scan-more small soft" dir="auto">
          {[
            scan.ticket_type,
            scan.use && scan.max_uses && scan.max_uses > 1
              ? t('use_of', { use: scan.use, max: scan.max_uses })
              : null,
            place,
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </span>
    </li>
  )
}
