// Calls of the organiser's desk; the session is a cookie that no script can read.
import { type CallOptions, Problem, call as plainCall, download as plainDownload, segment } from './http.ts'
import type {
  AskedTransfer,
  DeskEvent,
  DeskTicket,
  DeskTicketDetail,
  Device,
  DoubleEntryCase,
  EventInput,
  Gate,
  GateInput,
  IssueInput,
  Pairing,
  PairingInput,
  Reissued,
  RevokeReason,
  Session,
  Stats,
  TicketPage,
  TicketType,
  TicketTypeInput,
} from './types.ts'

/** Called when the server says that nobody is signed in; the desk then shows its sign-in. */
export const deskSession = { ended: () => {} }

async function watched<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Problem && error.status === 401) deskSession.ended()
    throw error
  }
}

const call = <T>(method: string, path: string, options?: CallOptions) =>
  watched(plainCall<T>(method, path, options))
const download = (path: string, options?: CallOptions & { method?: string }) =>
  watched(plainDownload(path, options))

/** For the parts of the desk whose calls stand in a file of their own. */
export const deskCall = call
export const deskDownload = download

export const eventUrl = (slug: string) => `/v1/desk/events/${segment(slug)}`
const event = eventUrl
const ticket = (slug: string, number: string) => `${event(slug)}/tickets/${segment(number)}`

export const getSession = () => call<Session>('GET', '/v1/session')
export const signIn = (username: string, password: string) =>
  call<Session>('POST', '/v1/session', { body: { username, password } })
export const signOut = () => call<void>('DELETE', '/v1/session')

export const listEvents = () => call<{ events: DeskEvent[] }>('GET', '/v1/desk/events')
export const createEvent = (input: EventInput) => call<DeskEvent>('POST', '/v1/desk/events', { body: input })
export const getEvent = (slug: string) => call<DeskEvent>('GET', event(slug))
export const changeEvent = (slug: string, input: Partial<EventInput>) =>
  call<DeskEvent>('PATCH', event(slug), { body: input })

export const addTicketType = (slug: string, input: TicketTypeInput) =>
  call<TicketType>('POST', `${event(slug)}/ticket-types`, { body: input })
export const changeTicketType = (slug: string, number: number, input: Partial<TicketTypeInput>) =>
  call<TicketType>('PATCH', `${event(slug)}/ticket-types/${number}`, { body: input })

export const addGate = (slug: string, input: GateInput) =>
  call<Gate>('POST', `${event(slug)}/gates`, { body: input })
export const changeGate = (slug: string, number: number, input: GateInput) =>
  call<Gate>('PATCH', `${event(slug)}/gates/${number}`, { body: input })

type TicketFilter = { query?: string; status?: string; cursor?: string; limit?: number }
/** In the body, not in the address: an e-mail address must not stand in a history or a log. */
export const listTickets = (slug: string, filter: TicketFilter) =>
  call<TicketPage>('POST', `${event(slug)}/tickets/search`, { body: filter })
export const getDeskTicket = (slug: string, number: string) =>
  call<DeskTicketDetail>('GET', ticket(slug, number))
export const issueTicket = (slug: string, input: IssueInput) =>
  call<DeskTicket>('POST', `${event(slug)}/tickets`, { body: input })
export const revokeTicket = (slug: string, number: string, reason: RevokeReason) =>
  call<DeskTicket>('POST', `${ticket(slug, number)}/revoke`, { body: { reason } })
export const reinstateTicket = (slug: string, number: string) =>
  call<DeskTicket>('POST', `${ticket(slug, number)}/reinstate`, { body: {} })
export const eraseTicket = (slug: string, number: string) =>
  call<DeskTicket>('POST', `${ticket(slug, number)}/erase`, { body: {} })
export const getTicketPdf = (slug: string, number: string) =>
  download(`${ticket(slug, number)}/pdf`, { timeoutMs: 30_000 })

/** Issues a ticket anew for its holder; the old one is refused from then on. */
export const reissueTicket = (slug: string, number: string) =>
  call<Reissued>('POST', `${ticket(slug, number)}/reissue`, { body: {} })

/** Transfers that wait for the organiser. */
export const listTransfers = (slug: string) =>
  call<{ transfers: AskedTransfer[] }>('GET', `${event(slug)}/transfers`)
export const agreeTransfer = (slug: string, number: string) =>
  call<DeskTicket>('POST', `${event(slug)}/transfers/${segment(number)}/agree`, { body: {} })
export const declineTransfer = (slug: string, number: string) =>
  call<void>('POST', `${event(slug)}/transfers/${segment(number)}/decline`, { body: {} })

export const createPairing = (slug: string, input: PairingInput) =>
  call<Pairing>('POST', `${event(slug)}/pairings`, { body: input })
export const listDevices = (slug: string) => call<{ devices: Device[] }>('GET', `${event(slug)}/devices`)
export const removeDevice = (slug: string, id: number) => call<void>('DELETE', `${event(slug)}/devices/${id}`)

export const listDoubles = (slug: string) =>
  call<{ conflicts: DoubleEntryCase[] }>('GET', `${event(slug)}/conflicts`)

export const getStats = (slug: string) => call<Stats>('GET', `${event(slug)}/stats`)
export const liveUrl = (slug: string) => `${event(slug)}/live`
