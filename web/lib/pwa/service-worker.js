// The service worker of one installable page; the build fills in the six values below. Only shells and assets are kept: no answers of the API.
const app = '__APP__'
const scope = '__SCOPE__'
const version = '__VERSION__'
const update = '__UPDATE__'
const files = ['__FILES__']
/** Kept from when they were first fetched. */
const later = ['__LATER__']
const cacheName = `admit-${app}-${version}`

self.addEventListener('install', event => {
  if (update === 'auto') self.skipWaiting()
  event.waitUntil(
    caches.open(cacheName).then(cache =>
      Promise.all(
        files.map(async url => {
          const hashed = url.startsWith('/assets/')
          // A hashed file never changes, so an older cache of ours may give it; nothing is fetched twice.
          const response =
            (hashed && (await caches.match(url))) || (await fetch(url, hashed ? {} : { cache: 'reload' }))
          if (!response.ok) throw new Error(`${url}: ${response.status}`)
          await cache.put(url, response)
        }),
      ),
    ),
  )
})

self.addEventListener('activate', event => {
  const old = name => name.startsWith(`admit-${app}-`) && name !== cacheName
  event.waitUntil(
    caches
      .keys()
      .then(names => Promise.all(names.filter(old).map(name => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('message', event => {
  if (event.data === 'take-over') self.skipWaiting()
})

self.addEventListener('fetch', event => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return
  const kept = event.request.mode === 'navigate' && url.pathname.startsWith(scope) ? scope : url.pathname
  const isLater = later.includes(kept)
  if (!files.includes(kept) && !isLater) return
  event.respondWith(
    caches.open(cacheName).then(async cache => {
      const known = await cache.match(kept)
      if (known) return known
      const response = await fetch(event.request)
      if (isLater && response.ok) await cache.put(kept, response.clone())
      return response
    }),
  )
})
