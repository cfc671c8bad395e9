// All events, each as a ticket.
import { listEvents } from '../lib/api/desk.ts'
import type { DeskEvent } from '../lib/api/types.ts'
import { dayPartsIn, momentIn } from '../lib/time/zone.ts'
import { Loaded } from './loaded.tsx'
import { eventPath, newEventPath } from './router.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'

export function EventList() {
  return (
    <div class="stack loose">
      <div class="row apart">
        <h1>{t('events')}</h1>
        {mayWrite.value && (
          <a class="button" href={newEventPath}>
            {t('new_event')}
          </a>
        )}
      </div>
      <Loaded of="events" load={listEvents}>
        {({ events }) =>
          events.length === 0 ? (
            <div class="card stack">
              <h2>{t('no_events')}</h2>
              <p class="soft">{t('no_events_hint')}</p>
            </div>
          ) : (
            <ul class="plain event-grid">
              {events.map(event => (
                <li key={event.slug}>
                  <EventStub event={event} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </div>
  )
}

function EventStub({ event }: { event: DeskEvent }) {
  const { weekday, day, month } = dayPartsIn(event.time_zone, event.starts_at)
  return (
    <div class="stub-lift">
      <a class="stub" href={eventPath(event.slug)}>
        <span class="date-stub">
          <span>{weekday}</span>
          <strong>{day}</strong>
          <span>{month}</span>
        </span>
        <span class="event-face">
          <strong class="event-name" dir="auto">
            {event.name}
          </strong>
          <span class="soft small" dir="auto">
            {event.venue} · {momentIn(event.time_zone, event.starts_at)}
          </span>
          <span class="numeric small">
            {t('issued_of', { issued: event.issued, capacity: event.capacity })}
          </span>
          <span>
            <span class={`tag ${event.registration === 'open' ? 'good' : ''}`}>
              {event.registration === 'open' ? t('registration_open') : t('registration_closed')}
            </span>
          </span>
        </span>
      </a>
    </div>
  )
}
