// Registers a page's service worker, and tells when a newer version waits; whether to take it is the page's choice.
import { signal } from '@preact/signals'
import { trustedUrl } from './trusted-url.ts'

export const updateWaiting = signal(false)
let registration: ServiceWorkerRegistration | null = null

export async function goOfflineReady(scope: string): Promise<void> {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return
  try {
    registration = await navigator.serviceWorker.register(trustedUrl(`${scope}sw.js`), {
      scope,
      updateViaCache: 'none',
    })
  } catch {
    return // a plain-HTTP or private window: the page works, only not offline
  }
  const look = () => {
    updateWaiting.value = Boolean(registration?.waiting && navigator.serviceWorker.controller)
  }
  look()
  registration?.addEventListener('updatefound', () =>
    registration?.installing?.addEventListener('statechange', look),
  )
}

export function takeUpdate(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
  registration?.waiting?.postMessage('take-over')
}
