// Entry of the ticket page: the ticket named after the '#', or the list of tickets kept on this phone.
import { signal } from '@preact/signals'
import { goOfflineReady } from '../lib/pwa/offline.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { mount } from '../lib/ui/mount.tsx'
import { SkipLink } from '../lib/ui/skip-link.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { anonymousRoute } from './anonymous-route.ts'
import { t } from './texts.ts'
import { TicketList } from './ticket-list.tsx'
import { TicketPage } from './ticket-page.tsx'

// The credential stays behind the '#': a fragment is never sent to a server, and the holder may bookmark the page.
const accessInUrl = () => /^#(adm1_ticket_[A-Za-z0-9_-]{8,200})$/.exec(location.hash)?.[1] ?? null
const access = signal(accessInUrl())
const offerInUrl = () => /^#(adm1_offer_[A-Za-z0-9_-]{8,200})$/.exec(location.hash)?.[1] ?? null
const offer = signal(offerInUrl())
const anonymous = signal(anonymousRoute(location.hash))
const isBroken = () =>
  location.hash.length > 1 &&
  accessInUrl() === null &&
  offerInUrl() === null &&
  anonymousRoute(location.hash) === null
const broken = signal(isBroken())
addEventListener('hashchange', () => {
  access.value = accessInUrl()
  offer.value = offerInUrl()
  anonymous.value = anonymousRoute(location.hash)
  broken.value = isBroken()
})

const Anonymous = lazy(() => import('./anonymous.tsx').then(part => part.Anonymous))
const OfferPage = lazy(() => import('./offer-page.tsx').then(part => part.OfferPage))

function Wallet() {
  return (
    <>
      <SkipLink text={t('skip')} to="ticket" />
      <header class="top">
        <a class="wordmark" href="/ticket/" title={t('your_tickets')}>
          <Wordmark />
        </a>
      </header>
      <main id="ticket" tabIndex={-1}>
        {access.value ? (
          <TicketPage key={access.value} access={access.value} />
        ) : offer.value ? (
          <OfferPage key={offer.value} link={offer.value} />
        ) : anonymous.value ? (
          <Anonymous key={JSON.stringify(anonymous.value)} route={anonymous.value} />
        ) : (
          <TicketList broken={broken.value} />
        )}
      </main>
    </>
  )
}

mount(<Wallet />)
void goOfflineReady('/ticket/')
