// Entry of the public pages: the list of events at /, one event at /e/{slug}.

import { mount } from '../lib/ui/mount.tsx'
import { EventPage } from './event-page.tsx'
import { Frame } from './frame.tsx'
import { Home } from './home.tsx'

function slugOf(path: string): string | null {
  const slug = /^\/e\/([^/]+)\/?$/.exec(path)?.[1]
  if (!slug) return null
  try {
    return decodeURIComponent(slug)
  } catch {
    return slug
  }
}

const slug = slugOf(location.pathname)
mount(<Frame>{slug === null ? <Home /> : <EventPage slug={slug} />}</Frame>)
