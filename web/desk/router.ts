// Addresses below /desk/ and the page each means; links work as links, without reloading.
import { signal } from '@preact/signals'

export type Section = 'live' | 'tickets' | 'settings' | 'devices' | 'doubles' | 'sales' | 'log'
export type Place =
  | { page: 'events' }
  | { page: 'new_event' }
  | { page: 'event'; slug: string; section: Section }
  | { page: 'ticket'; slug: string; number: string }
  | { page: 'nowhere' }

const sections = ['tickets', 'settings', 'devices', 'doubles', 'sales', 'log'] as const

export function placeOf(path: string): Place {
  const parts = path
    .replace(/^\/desk\/?/, '')
    .split('/')
    .filter(Boolean)
  let names: string[]
  try {
    names = parts.map(decodeURIComponent)
  } catch {
    return { page: 'nowhere' }
  }
  const [root, slug, section, number, ...rest] = names
  if (root === undefined) return { page: 'events' }
  if (root !== 'events' || rest.length > 0) return { page: 'nowhere' }
  if (slug === undefined) return { page: 'events' }
  // "new" has a place of its own beside the events, since an event may be called "new".
  if (section === undefined)
    return slug === '+' ? { page: 'new_event' } : { page: 'event', slug, section: 'live' }
  if (section === 'tickets' && number !== undefined) return { page: 'ticket', slug, number }
  const known = sections.find(name => name === section)
  return known && number === undefined ? { page: 'event', slug, section: known } : { page: 'nowhere' }
}

export const eventPath = (slug: string, section: Section = 'live') =>
  `/desk/events/${encodeURIComponent(slug)}${section === 'live' ? '' : `/${section}`}`
export const ticketPath = (slug: string, number: string) =>
  `${eventPath(slug, 'tickets')}/${encodeURIComponent(number)}`
export const newEventPath = '/desk/events/+'

export const place = signal<Place>({ page: 'events' })

export function go(path: string): void {
  history.pushState(null, '', path)
  arrive()
  scrollTo(0, 0)
  // A screen reader must hear that the page is another one.
  requestAnimationFrame(() => document.getElementById('content')?.focus({ preventScroll: true }))
}

function arrive(): void {
  place.value = placeOf(location.pathname)
}

export function startRouter(): void {
  arrive()
  addEventListener('popstate', arrive)
  document.addEventListener('click', event => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.ctrlKey ||
      event.metaKey ||
      event.shiftKey ||
      event.altKey
    )
      return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.target || link.origin !== location.origin || !link.pathname.startsWith('/desk/')) return
    if (link.hash && link.pathname === location.pathname) return
    event.preventDefault()
    go(link.pathname)
  })
}
