// The page of one event: what, when, where, and the registration form.
import { useEffect } from 'preact/hooks'
import { getPublicEvent } from '../lib/api/public.ts'
import type { PublicEvent } from '../lib/api/types.ts'
import { dayIn, dayPartsIn, timeIn, zoneLabel } from '../lib/time/zone.ts'
import { ForSale } from './for-sale.tsx'
import { Loaded } from './loaded.tsx'
import { RegistrationForm } from './registration-form.tsx'
import { t } from './texts.ts'

export function EventPage({ slug }: { slug: string }) {
  return (
    <Loaded load={() => getPublicEvent(slug)} missing={() => <Missing />}>
      {event => <Event event={event} />}
    </Loaded>
  )
}

function Missing() {
  return (
    <div class="card stack">
      <h1>{t('not_found')}</h1>
      <p class="soft">{t('not_found_hint')}</p>
      <p>
        <a href="/">{t('all_events')}</a>
      </p>
    </div>
  )
}

function Event({ event }: { event: PublicEvent }) {
  useEffect(() => {
    document.title = `${event.name} · Admit One`
  }, [])
  const zone = event.time_zone
  const { weekday, day, month } = dayPartsIn(zone, event.starts_at)
  const soldOut = event.ticket_types.length > 0 && event.ticket_types.every(type => type.sold_out)
  return (
    <div class="event">
      <section class="stack">
        <div class="stub-lift">
          <div class="stub">
            <div class="date-stub">
              <span>{weekday}</span>
              <strong>{day}</strong>
              <span>{month}</span>
            </div>
            <div class="event-face">
              <h1 dir="auto">{event.name}</h1>
              <dl class="facts">
                <div>
                  <dt class="label">{t('where')}</dt>
                  <dd dir="auto">{event.venue}</dd>
                </div>
                <div>
                  <dt class="label">{t('when')}</dt>
                  <dd>
                    <time dateTime={event.starts_at}>{dayIn(zone, event.starts_at)}</time>
                    <br />
                    <span class="numeric">
                      {event.doors_at && `${t('doors')} ${timeIn(zone, event.doors_at)} · `}
                      {t('starts')} {timeIn(zone, event.starts_at)}
                    </span>
                    <br />
                    <span class="small soft">{zoneLabel(zone, event.starts_at)}</span>
                  </dd>
                </div>
              </dl>
            </div>
          </div>
        </div>
        {event.description && (
          <p class="description" dir="auto">
            {event.description}
          </p>
        )}
      </section>
      <section class="card">
        {!event.registration_open ? (
          <Closed title={t('closed')} hint={t('closed_hint')} />
        ) : soldOut ? (
          <Closed title={t('all_sold_out')} hint={t('all_sold_out_hint')} />
        ) : (
          <Ways event={event} />
        )}
      </section>
    </div>
  )
}

/** By name, without one, or both. */
function Ways({ event }: { event: PublicEvent }) {
  const sold = event.ticket_types.filter(type => type.sale)
  const named = event.ticket_types.filter(type => !type.sale)
  return (
    <div class="stack loose">
      {sold.length > 0 && <ForSale event={event.slug} types={sold} />}
      {named.length > 0 && <RegistrationForm event={{ ...event, ticket_types: named }} />}
    </div>
  )
}

function Closed({ title, hint }: { title: string; hint: string }) {
  return (
    <div class="stack">
      <h2>{title}</h2>
      <p class="soft">{hint}</p>
      <p>
        <a href="/">{t('all_events')}</a>
      </p>
    </div>
  )
}
