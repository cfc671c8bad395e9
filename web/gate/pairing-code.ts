// The pairing code: read from the address and removed from it, and written the way people read it.
import { signal } from '@preact/signals'

/** A code that came by the desk's link and was not used yet. */
export const offeredCode = signal<string | null>(null)

export function takePairingFragment(
  location: Pick<Location, 'hash' | 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
): string | null {
  const code = /^#pair=([A-Za-z0-9-]{4,64})$/.exec(location.hash)?.[1]
  // Out of the address bar, the history and every screenshot, whether it is good or not.
  if (location.hash.startsWith('#pair=')) history.replaceState(null, '', location.pathname + location.search)
  return code ? groupCode(code) : null
}

/** "abcd efgh" becomes "ABCD-EFGH": 16 letters and digits in groups of four. */
export function groupCode(text: string): string {
  const plain = text
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .slice(0, 16)
  return plain.match(/.{1,4}/g)?.join('-') ?? ''
}

export const isWholeCode = (text: string) => text.replaceAll('-', '').length === 16
