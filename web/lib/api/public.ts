// Calls anybody may make: the list of events and the registration for one.
import { call, segment } from './http.ts'
import type { PublicEvent, Registered, RegistrationInput } from './types.ts'

export const listPublicEvents = () => call<{ events: PublicEvent[] }>('GET', '/v1/events')

export const getPublicEvent = (slug: string) => call<PublicEvent>('GET', `/v1/events/${segment(slug)}/public`)

export const register = (slug: string, input: RegistrationInput, idempotencyKey: string) =>
  call<Registered>('POST', `/v1/events/${segment(slug)}/registrations`, {
    body: input,
    headers: { 'idempotency-key': idempotencyKey },
  })
