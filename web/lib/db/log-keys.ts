// The keys of audit logs as this browser first saw them: a server that shows another one later must explain itself.

const name = (event: string) => `admit-log-key:${event}`

/** The key of the first visit; `changed` when the one that is told now is another. Without storage every visit is the first. */
export function firstKey(event: string, told: string): { vkey: string; changed: boolean } {
  try {
    const kept = localStorage.getItem(name(event))
    if (kept === null) localStorage.setItem(name(event), told)
    return { vkey: kept ?? told, changed: kept !== null && kept !== told }
  } catch {
    return { vkey: told, changed: false }
  }
}

/** The kept key, for checking without a network. */
export function keptKey(event: string): string | null {
  try {
    return localStorage.getItem(name(event))
  } catch {
    return null
  }
}

/** Takes the new key for the right one, after somebody was asked. */
export function trustKey(event: string, vkey: string): void {
  try {
    localStorage.setItem(name(event), vkey)
  } catch {
    // a browser that keeps nothing has nothing to correct
  }
}
