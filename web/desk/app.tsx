// The desk: sign-in, or the page of the current address in its frame.
import { getEvent } from '../lib/api/desk.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { SkipLink } from '../lib/ui/skip-link.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { EventFrame } from './event-frame.tsx'
import { EventList } from './event-list.tsx'
import { LivePage } from './live-page.tsx'
import { Loaded, Nowhere } from './loaded.tsx'
import { place } from './router.ts'
import { findSession, leave, session, sessionUnreachable } from './session.ts'
import { SignIn } from './sign-in.tsx'
import { t } from './texts.ts'

const DevicePage = lazy(() => import('./device-page.tsx').then(page => page.DevicePage))
const DoublesPage = lazy(() => import('./doubles-page.tsx').then(page => page.DoublesPage))
const LogPage = lazy(() => import('./log-page.tsx').then(page => page.LogPage))
const NewEvent = lazy(() => import('./new-event.tsx').then(page => page.NewEvent))
const SalesPage = lazy(() => import('./sales-page.tsx').then(page => page.SalesPage))
const SettingsPage = lazy(() => import('./settings-page.tsx').then(page => page.SettingsPage))
const TicketDetail = lazy(() => import('./ticket-detail.tsx').then(page => page.TicketDetail))
const TicketList = lazy(() => import('./ticket-list.tsx').then(page => page.TicketList))

export function App() {
  const who = session.value
  return (
    <>
      <SkipLink text={t('skip')} to="content" />
      <header class="bar">
        <a class="wordmark" href="/desk/">
          <Wordmark />
        </a>
        <span class="label">{t('desk')}</span>
        {who && (
          <span class="who small">
            <span class="soft who-name">{t('signed_in_as', { name: who.username })}</span>
            <button class="button quiet tight" type="button" onClick={() => void leave()}>
              {t('sign_out')}
            </button>
          </span>
        )}
      </header>
      <main id="content" tabIndex={-1}>
        {who === undefined ? <Starting /> : who === null ? <SignIn /> : <Page />}
      </main>
    </>
  )
}

function Starting() {
  if (!sessionUnreachable.value) return <p class="waiting">{t('loading')}</p>
  return (
    <div class="notice bad stack" role="alert">
      <p>{t('no_answer')}</p>
      <div>
        <button class="button quiet" type="button" onClick={() => void findSession()}>
          {t('try_again')}
        </button>
      </div>
    </div>
  )
}

function Page() {
  const here = place.value
  switch (here.page) {
    case 'events':
      return <EventList />
    case 'new_event':
      return <NewEvent />
    case 'nowhere':
      return <Nowhere />
    case 'ticket':
    case 'event':
      return (
        <Loaded of={here.slug} load={() => getEvent(here.slug)}>
          {(event, change) => (
            <EventFrame event={event} section={here.page === 'ticket' ? 'tickets' : here.section}>
              {here.page === 'ticket' ? (
                <TicketDetail event={event} number={here.number} />
              ) : here.section === 'tickets' ? (
                <TicketList event={event} />
              ) : here.section === 'settings' ? (
                <SettingsPage event={event} onChange={change} />
              ) : here.section === 'devices' ? (
                <DevicePage event={event} />
              ) : here.section === 'doubles' ? (
                <DoublesPage event={event} />
              ) : here.section === 'sales' ? (
                <SalesPage event={event} />
              ) : here.section === 'log' ? (
                <LogPage event={event} />
              ) : (
                <LivePage event={event} />
              )}
            </EventFrame>
          )}
        </Loaded>
      )
  }
}
