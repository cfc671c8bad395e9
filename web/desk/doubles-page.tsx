// Double entries: each as a line of time with the gates on it, so that one look tells who came first, where, and how far apart.
import type { DeskEvent, DoubleEntryCase } from '../lib/api/types.ts'
import { dayIn, preciseTimeIn } from '../lib/time/zone.ts'
import { duration, spread, useDoubles } from './doubles.ts'
import './doubles.css'
import { plural, t } from './offline-texts.ts'
import { ticketPath } from './router.ts'
import { t as desk } from './texts.ts'

export function DoublesPage({ event }: { event: DeskEvent }) {
  const cases = useDoubles(event.slug, null)
  return (
    <div class="stack">
      <div class="row apart">
        <h2>{t('title')}</h2>
        {cases && cases.length > 0 && <span class="tag bad numeric">{plural('figure', cases.length)}</span>}
      </div>
      <p class="soft narrow">{t('intro')}</p>
      {!cases && <p class="waiting">{desk('loading')}</p>}
      {cases?.length === 0 && (
        <div class="card">
          <h3>{t('none')}</h3>
          <p class="soft">{t('none_hint')}</p>
        </div>
      )}
      {cases?.map(one => (
        <Case key={one.id} one={one} event={event} />
      ))}
    </div>
  )
}

function Case({ one, event }: { one: DoubleEntryCase; event: DeskEvent }) {
  const metres = one.distance_m
  return (
    <article class="card stack case" data-case={one.id} data-fraud={one.fraud}>
      <header class="case-head">
        <div>
          <h3>
            <a class="mono" href={ticketPath(event.slug, one.ticket)}>
              {one.ticket}
            </a>
          </h3>
          <p class="soft small" dir="auto">
            {one.type_name} · {dayIn(event.time_zone, one.first.at)}
          </p>
        </div>
        <div class="row tight-row">
          {one.fraud && <span class="tag bad">▲ {t('fraud')}</span>}
          {!one.order_certain && <span class="tag warn">≈ {t('uncertain')}</span>}
          <span class="tag numeric">{t('apart', { time: duration(one.apart_ms) })}</span>
        </div>
      </header>
      <Timeline one={one} zone={event.time_zone} />
      {one.fraud && (
        <p class="small">
          {t('fraud_why')}
          {metres !== null && (
            <strong class="numeric">
              {' '}
              {t('fraud_distance', {
                metres: Math.round(metres).toLocaleString('en-GB'),
                time: duration(one.apart_ms),
              })}
            </strong>
          )}
        </p>
      )}
      {!one.order_certain && <p class="small soft">{t('uncertain_why')}</p>}
    </article>
  )
}

const stageText = (stage: string) =>
  stage === 'claimed' ? t('stage_claimed') : stage === 'void' ? t('stage_void') : t('stage_done')

function Timeline({ one, zone }: { one: DoubleEntryCase; zone: string }) {
  const entries = one.entries
  const places = spread(
    entries.map(entry => Date.parse(entry.at)),
    entries.length > 1 ? 0.6 / (entries.length - 1) : 0,
  )
  return (
    <div class="timeline">
      <TimeLine places={places} entries={entries} first={one.first.local_id} certain={one.order_certain} />
      <ol class="plain" aria-label={t('timeline', { ticket: one.ticket })}>
        {entries.map((entry, index) => {
          const counts = entry.local_id === one.first.local_id
          return (
            <li key={entry.local_id} data-entry={index} data-counts={counts} data-stage={entry.stage}>
              <span class="entry-number numeric" aria-hidden="true">
                {index + 1}
              </span>
              <span class="entry-text">
                <strong dir="auto">{entry.gate_name}</strong>
                <span class="numeric">
                  {one.order_certain
                    ? preciseTimeIn(zone, entry.at)
                    : `${preciseTimeIn(zone, entry.from)} – ${preciseTimeIn(zone, entry.to)}`}
                </span>
                <span class="small soft" dir="auto">
                  {entry.device_name} · {stageText(entry.stage)}
                </span>
                <span class={`tag ${counts ? 'good' : 'bad'}`}>{counts ? t('counts') : t('extra')}</span>
              </span>
            </li>
          )
        })}
      </ol>
    </div>
  )
}

type LineProps = {
  places: number[]
  entries: DoubleEntryCase['entries']
  first: string
  certain: boolean
}

/** The same as a picture: dots on a line, their distance that of the times. */
function TimeLine({ places, entries, first, certain }: LineProps) {
  const x = (place: number) => 24 + place * 552
  const last = places.at(-1) ?? 0
  return (
    <svg class="line" viewBox="0 0 600 48" aria-hidden="true">
      <path d={`M${x(0)} 24H${x(last)}`} class={certain ? 'way' : 'way unsure'} />
      {entries.map((entry, index) => {
        const cx = x(places[index] ?? 0)
        const counts = entry.local_id === first
        return (
          <g key={entry.local_id} class={counts ? 'counts' : 'extra'}>
            {counts ? (
              <circle cx={cx} cy="24" r="20" />
            ) : (
              <path d={`M${cx - 12} 4h24l8 8v24l-8 8h-24l-8-8V12z`} />
            )}
            <text x={cx} y="31">
              {index + 1}
            </text>
          </g>
        )
      })}
    </svg>
  )
}
