// Who is signed in. Undefined: not known yet; null: nobody.
import { computed, signal } from '@preact/signals'
import { deskSession, getSession, signOut } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { Session } from '../lib/api/types.ts'

export const session = signal<Session | null | undefined>(undefined)
export const sessionUnreachable = signal(false)
export const mayWrite = computed(() => session.value?.role === 'admin' || session.value?.role === 'organiser')

deskSession.ended = () => {
  session.value = null
}

export async function findSession(): Promise<void> {
  sessionUnreachable.value = false
  try {
    session.value = await getSession()
  } catch (error) {
    if (error instanceof Problem && error.status === 401) session.value = null
    else sessionUnreachable.value = true
  }
}

export async function leave(): Promise<void> {
  await signOut().catch(() => undefined)
  session.value = null
}
