// A stand-in for the Rust server: the HTTP contract over a few maps in memory, for screenshots and for work on the pages alone.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { encode, renderSVG } from 'uqr'
import type {
  DeskEvent,
  DeskTicket,
  Device,
  EventInput,
  Gate,
  GateSetup,
  PublicEvent,
  RegistrationInput,
  Scan,
  Stats,
  Ticket,
  TicketType,
  Verdict,
} from '../lib/api/types.ts'
import { casesOf, enter, leave, type Names, offlineState, type Report, sync } from './mock-offline.ts'
import { issuerKey, mint } from './mock-tickets.ts'

const root = new URL('..', import.meta.url).pathname
const now = () => new Date().toISOString()
const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()
const csp =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types admit"

class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly fields: { name: string; message: string }[]

  constructor(
    status: number,
    code: string,
    detail: string,
    fields: { name: string; message: string }[] = [],
  ) {
    super(detail)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

type MockTicket = DeskTicket & {
  hash: string
  event: string
  access: string
  code: string
  answers: Record<string, string>
  scans: Scan[]
  reason: string | null
}
type MockDevice = Device & { token: string; event: string; public_key: string | null }
type Pairing = {
  code: string
  event: string
  device_name: string
  gate: number | null
  expires: number
  used: boolean
}

export type MockServer = { url: string; close: () => Promise<void>; state: ReturnType<typeof makeState> }

function makeState() {
  return {
    events: new Map<string, DeskEvent>(),
    tickets: new Map<string, MockTicket>(),
    devices: new Map<number, MockDevice>(),
    pairings: new Map<string, Pairing>(),
    sessions: new Set<string>(),
    registrations: new Map<string, { body: string; number: string }>(),
    scans: [] as (Scan & { event: string })[],
    verdicts: new Map<string, { status: number; body: Verdict }>(),
    streams: new Map<ServerResponse, string>(),
    seq: 0,
    offline: offlineState(),
    /** Tickets of one page of the download. */
    downloadPage: 100,
    /** Tests hold answers back by it: a path's calls wait until it resolves, or fail when it rejects. */
    before: null as ((path: string) => Promise<void> | void) | null,
    /** Tests turn it on: the gate's calls get no answer. */
    dead: false,
  }
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const draw = (length: number) => [...randomBytes(length)].map(byte => alphabet[byte % 32]).join('')

export async function startMock(port = 0, seeded = true): Promise<MockServer> {
  const state = makeState()
  if (seeded) seed(state)
  const server = createServer((request, response) => {
    handle(state, request, response).catch(error => {
      if (error instanceof Refusal) {
        const { status, code, message, fields } = error
        send(
          response,
          status,
          { type: `https://admit.one/problems/${code}`, title: code, status, detail: message, code, fields },
          'application/problem+json',
        )
      } else {
        console.error(error)
        send(response, 500, { code: 'internal', title: 'internal', status: 500 }, 'application/problem+json')
      }
    })
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://localhost:${typeof address === 'object' && address ? address.port : port}`
  return {
    url,
    state,
    close: () =>
      new Promise(resolve => {
        for (const stream of state.streams.keys()) stream.end()
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

// --- seed ---------------------------------------------------------------------------------------------------------

type State = ReturnType<typeof makeState>

function seed(state: State): void {
  const gates: Gate[] = ['Main gate', 'North gate', 'Stage door'].map((name, index) => ({
    number: index + 1,
    name,
    slug: name.toLowerCase().replace(' ', '-'),
    open: true,
    latitude: null,
    longitude: null,
  }))
  const type = (
    number: number,
    name: string,
    quota: number,
    extra: Partial<TicketType> = {},
  ): TicketType => ({
    number,
    name,
    description: '',
    quota,
    max_uses: 1,
    kind: 'single-use',
    pass: { lasts: null, exits: false, wait_min: 0, per_day: 'any' },
    transferable: 'no',
    valid_from: null,
    valid_until: null,
    gates: [],
    issued: 0,
    price_cents: 0,
    rotation: 'none',
    interval_s: null,
    offline: 'any',
    lease_device: null,
    lease_holder: null,
    ...extra,
  })
  const event = (input: Partial<DeskEvent> & Pick<DeskEvent, 'slug' | 'name'>): DeskEvent => ({
    number: state.events.size + 1,
    venue: 'Kulturbrauerei, Kesselhaus',
    description:
      'Four bands on two stages.\nDoors open early; there is a cloakroom. Please bring your own cup.',
    time_zone: 'Europe/Berlin',
    doors_at: inMinutes(-60),
    starts_at: inMinutes(0),
    ends_at: inMinutes(240),
    registration: 'open',
    token_format: 'a1',
    show_name_at_gate: true,
    offline_hours: 12,
    questions: [
      {
        key: 'diet',
        label: 'What do you eat?',
        required: false,
        kind: 'choice',
        options: ['Everything', 'Vegetarian', 'Vegan'],
      },
    ],
    phone: 'optional',
    created_at: now(),
    ticket_types: [
      type(1, 'Standard', 400, { description: 'One entry, any gate.' }),
      type(2, 'Crew', 40, {
        max_uses: 0,
        kind: 'entries',
        pass: { lasts: null, exits: true, wait_min: 5, per_day: 'any' },
        transferable: 'approval',
        gates: [3],
        description: 'In and out as often as needed.',
      }),
      type(3, 'Early bird', 60, { issued: 60 }),
    ],
    gates,
    issued: 0,
    capacity: 500,
    ...input,
  })
  state.events.set('night-of-brass', event({ slug: 'night-of-brass', name: 'Night of Brass' }))
  state.events.set(
    'winter-symposium',
    event({
      slug: 'winter-symposium',
      name: 'Winter Symposium on Community Networks 2027',
      venue: 'Universität, Hörsaal 1',
      doors_at: inMinutes(60 * 24 * 60),
      starts_at: inMinutes(60 * 24 * 60 + 30),
      ends_at: inMinutes(60 * 24 * 61),
      time_zone: 'America/New_York',
      ticket_types: [type(1, 'Participant', 120)],
      gates: gates.slice(0, 1),
      capacity: 120,
    }),
  )
  const people = [
    'Amina Diallo',
    'Jürgen Müller',
    '王小明',
    'Σοφία Παπαδοπούλου',
    'عمر حداد',
    'Olena Kovalenko',
    'Priya Raman',
    'Tomás Herrera',
  ]
  const event1 = state.events.get('night-of-brass')
  if (!event1) return
  const device: MockDevice = {
    id: 1,
    name: 'Ben’s phone',
    gate: 1,
    paired_at: inMinutes(-90),
    revoked_at: null,
    platform: 'Android Chrome',
    token: `adm1_device_${randomBytes(24).toString('base64url')}`,
    event: 'night-of-brass',
    state: null,
    unconfirmed: 0,
    public_key: null,
  }
  state.devices.set(device.id, device)
  state.devices.set(2, { ...device, id: 2, name: 'Old tablet', token: 'none', revoked_at: inMinutes(-30) })
  for (let index = 0; index < 240; index++) {
    const person = `${people[index % people.length]}${index < people.length ? '' : ` ${index}`}`
    issue(state, event1, {
      ticket_type: index % 20 === 19 ? 2 : 1,
      name: person,
      email: `person${index}@example.org`,
    })
  }
  // Two hours of arrivals, with a rush before the start.
  const tickets = [...state.tickets.values()]
  for (let index = 0; index < 170; index++) {
    const ticket = tickets[index]
    if (!ticket) continue
    const minutesAgo = Math.round(70 * (1 - Math.sqrt(index / 170)) * Math.abs(Math.sin(index * 1.7)) ** 0.3)
    const gate = event1.gates[index % 7 < 4 ? 0 : index % 7 < 6 ? 1 : 2] ?? gates[0]
    const at = inMinutes(-minutesAgo)
    record(state, event1, { verdict: 'admit', ticket, gate, at, device: device.name })
    ticket.uses += 1
    ticket.status = 'used'
    ticket.first_admitted_at = at
    ticket.first_gate = gate?.name ?? null
    if (index % 23 === 5)
      record(state, event1, {
        verdict: 'refuse',
        reason: 'already_used',
        ticket,
        gate,
        at,
        device: device.name,
      })
    if (index % 41 === 7)
      record(state, event1, {
        verdict: 'refuse',
        reason: 'invalid',
        ticket: null,
        gate,
        at,
        device: device.name,
      })
  }
  state.scans.sort((a, b) => a.at.localeCompare(b.at))
}

function issue(
  state: State,
  event: DeskEvent,
  input: Partial<RegistrationInput> & { ticket_type: number },
): MockTicket {
  const type = event.ticket_types.find(candidate => candidate.number === input.ticket_type)
  if (!type)
    throw new Refusal(422, 'validation_failed', 'Please check the marked fields.', [
      { name: 'ticket_type', message: 'There is no such ticket type.' },
    ])
  if (type.issued >= type.quota) throw new Refusal(409, 'sold_out', 'This ticket type is sold out.')
  type.issued += 1
  event.issued += 1
  const { number, code, hash } = mint(event.number, type.number, type.max_uses, type.gates)
  const ticket: MockTicket = {
    number,
    hash,
    ticket_type: { number: type.number, name: type.name },
    status: 'issued',
    uses: 0,
    max_uses: type.max_uses,
    name: input.name ?? null,
    email: input.email ?? null,
    phone: input.phone ?? null,
    issued_at: now(),
    first_admitted_at: null,
    first_gate: null,
    erased: false,
    event: event.slug,
    access: `adm1_ticket_${randomBytes(24).toString('base64url')}`,
    code,
    answers: input.answers ?? {},
    scans: [],
    reason: null,
  }
  state.tickets.set(ticket.number, ticket)
  return ticket
}

const messages: Record<string, string> = {
  already_used: 'This ticket was used before.',
  invalid: 'This code was not issued by this organiser.',
  revoked: 'The organiser withdrew this ticket.',
  entry_point_denied: 'This ticket does not hold at this gate.',
  gate_closed: 'This gate is closed.',
  uses_exhausted: 'All entries of this ticket are used.',
}

type Recorded = {
  verdict: Scan['verdict']
  reason?: string
  ticket: MockTicket | null
  gate: Gate | undefined
  at: string
  device: string
}

function record(state: State, event: DeskEvent, facts: Recorded): Scan {
  state.seq += 1
  const scan: Scan & { event: string } = {
    event: event.slug,
    seq: facts.ticket ? state.seq : null,
    at: facts.at,
    verdict: facts.verdict,
    reason: facts.reason ?? null,
    message: messages[facts.reason ?? ''] ?? 'Welcome.',
    gate: facts.gate?.number ?? 0,
    gate_name: facts.gate?.name ?? '',
    device_name: facts.device,
    ticket_number: facts.ticket?.number ?? null,
    ticket_type: facts.ticket?.ticket_type.name ?? null,
    use: facts.verdict === 'admit' ? (facts.ticket?.uses ?? 0) + 1 : null,
    max_uses: facts.ticket?.max_uses ?? null,
  }
  state.scans.push(scan)
  facts.ticket?.scans.unshift(scan)
  return scan
}

// --- answering ----------------------------------------------------------------------------------------------------

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  type = 'application/json',
  headers = {},
): void {
  const data =
    body === undefined ? '' : typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...headers })
  response.end(data)
}

async function bodyOf<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as T
}

async function handle(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const path = url.pathname
  if (!path.startsWith('/v1/')) return serveFile(path, response)
  const method = request.method ?? 'GET'
  const parts = path.split('/').slice(2).map(decodeURIComponent)
  if (path === '/v1/openapi.json') {
    const file = `${root}openapi.json`
    const sample = {
      openapi: '3.1.0',
      info: { title: 'Admit One', version: '0.0.0' },
      paths: {
        '/v1/events': {
          get: {
            tags: ['public'],
            summary: 'Events open for registration',
            responses: { 200: { description: 'The events.' } },
          },
        },
      },
    }
    return send(response, 200, existsSync(file) ? readFileSync(file) : sample)
  }
  if (parts[0] === 'events') return publicApi(state, method, parts, request, response)
  if (parts[0]?.startsWith('ticket')) return ticketApi(state, parts[0], request, response)
  if (parts[0] === 'session') return sessionApi(state, method, request, response)
  if (parts[0] === 'pair' || parts[0] === 'gate' || parts[0] === 'sync_offline')
    return gateApi(state, method, parts, request, response)
  if (parts[0] === 'desk') return deskApi(state, method, parts, request, response)
  throw new Refusal(404, 'not_found', 'There is nothing here.')
}

const eventOf = (state: State, slug: string | undefined): DeskEvent => {
  const event = state.events.get(slug ?? '')
  if (!event) throw new Refusal(404, 'not_found', 'There is no such event.')
  return event
}

function publicEvent(event: DeskEvent): PublicEvent {
  const { slug, name, venue, description, time_zone, doors_at, starts_at, ends_at, questions, phone } = event
  return {
    ...{ slug, name, venue, description, time_zone, doors_at, starts_at, ends_at, questions, phone },
    registration_open: event.registration === 'open',
    ticket_types: event.ticket_types.map(type => {
      const left = type.quota - type.issued
      return {
        number: type.number,
        name: type.name,
        description: type.description,
        price_cents: 0,
        currency: null,
        remaining: left > 20 ? null : left,
        sold_out: left <= 0,
        valid_from: type.valid_from ?? null,
        valid_until: type.valid_until ?? null,
        gates: event.gates.filter(gate => type.gates.includes(gate.number)).map(gate => gate.name),
      }
    }),
  }
}

async function publicApi(
  state: State,
  method: string,
  parts: string[],
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (parts.length === 1) {
    const open = [...state.events.values()].filter(event => event.registration === 'open')
    return send(response, 200, { events: open.map(publicEvent) })
  }
  const event = eventOf(state, parts[1])
  if (parts[2] === 'public') return send(response, 200, publicEvent(event))
  if (parts[2] === 'log' && parts.length === 3) {
    // Shown, but nothing can be proved against it: the mock keeps no tree.
    const origin = `admit-one/mock/log/${event.number}`
    const key = { vkey: `${origin}+00000000+${'A'.repeat(44)}`, root: '0'.repeat(64) }
    return send(response, 200, { origin, ...key, tree_size: event.issued + state.scans.length })
  }
  if (parts[2] !== 'registrations' || method !== 'POST')
    throw new Refusal(404, 'not_found', 'There is nothing here.')
  const input = await bodyOf<RegistrationInput>(request)
  const key = String(request.headers['idempotency-key'] ?? '')
  const known = state.registrations.get(key)
  if (known && known.body !== JSON.stringify(input))
    throw new Refusal(422, 'idempotency_mismatch', 'This form was already sent with other details.')
  if (input.email.endsWith('.invalid')) {
    throw new Refusal(422, 'validation_failed', 'Please check the marked fields.', [
      { name: 'email', message: 'This address cannot get mail.' },
    ])
  }
  const ticket = known ? state.tickets.get(known.number) : issue(state, event, input)
  if (!ticket) throw new Error('lost')
  state.registrations.set(key, { body: JSON.stringify(input), number: ticket.number })
  send(response, known ? 200 : 201, {
    ticket: holderView(state, ticket),
    access: ticket.access,
    ticket_url: `/ticket/#${ticket.access}`,
  })
}

function holderView(state: State, ticket: MockTicket): Ticket {
  const event = eventOf(state, ticket.event)
  const { slug, name, venue, time_zone, doors_at, starts_at, ends_at } = event
  return {
    number: ticket.number,
    event: { slug, name, venue, time_zone, doors_at, starts_at, ends_at },
    ticket_type: ticket.ticket_type,
    status: ticket.status,
    uses: ticket.uses,
    max_uses: ticket.max_uses,
    valid_from: null,
    valid_until: null,
    gates: [],
    name: ticket.name,
    issued_at: ticket.issued_at,
    code: ticket.code,
    format: 'a1',
  }
}

/** The smallest PDF that shows a QR: one filled square per dark module. */
function pdfOf(ticket: MockTicket): Buffer {
  const { data, size } = encode(ticket.code, { ecc: 'M', border: 4 })
  const unit = 300 / size
  const squares = data.flatMap((row, y) =>
    row.map((dark, x) =>
      dark
        ? `${(x * unit + 150).toFixed(2)} ${(700 - y * unit).toFixed(2)} ${unit.toFixed(2)} ${unit.toFixed(2)} re`
        : '',
    ),
  )
  const content = `${squares.filter(Boolean).join('\n')} f\nBT /F 18 Tf 150 350 Td (${ticket.number}) Tj ET`
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>',
    `<</Length ${content.length}>>stream\n${content}\nendstream `,
  ]
  let file = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const at = file.length
    file += `${index + 1} 0 obj${object}endobj\n`
    return at
  })
  const xref = file.length
  file += `xref\n0 5\n0000000000 65535 f \n${offsets.map(at => `${String(at).padStart(10, '0')} 00000 n \n`).join('')}`
  file += `trailer<</Size 5/Root 1 0 R>>\nstartxref\n${xref}\n%%EOF`
  return Buffer.from(file, 'latin1')
}

const bearer = (request: IncomingMessage) => (request.headers.authorization ?? '').replace(/^Bearer /, '')

function ticketApi(state: State, name: string, request: IncomingMessage, response: ServerResponse) {
  const access = bearer(request)
  const ticket = [...state.tickets.values()].find(candidate => candidate.access === access)
  if (!ticket) throw new Refusal(401, 'not_signed_in', 'This ticket link does not work.')
  if (name === 'ticket') return send(response, 200, holderView(state, ticket))
  if (name === 'ticket.svg')
    return send(response, 200, renderSVG(ticket.code, { ecc: 'M', border: 2 }), 'image/svg+xml')
  if (name === 'ticket.pdf') return send(response, 200, pdfOf(ticket), 'application/pdf')
  send(response, 200, 'BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n', 'text/calendar')
}

const sessionOf = (request: IncomingMessage) =>
  /admit_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''

async function sessionApi(state: State, method: string, request: IncomingMessage, response: ServerResponse) {
  const who = { username: 'demo', role: 'admin' }
  if (method === 'POST') {
    const input = await bodyOf<{ username: string; password: string }>(request)
    if (input.username !== 'demo' || input.password !== 'demo-password')
      throw new Refusal(401, 'not_signed_in', 'Wrong.')
    const id = randomUUID()
    state.sessions.add(id)
    return send(response, 200, who, 'application/json', {
      'set-cookie': `admit_session=${id}; HttpOnly; SameSite=Strict; Path=/`,
    })
  }
  if (!state.sessions.has(sessionOf(request))) throw new Refusal(401, 'not_signed_in', 'Please sign in.')
  if (method === 'DELETE') {
    state.sessions.delete(sessionOf(request))
    return send(response, 204, undefined)
  }
  send(response, 200, who)
}

// --- the gate -----------------------------------------------------------------------------------------------------

async function gateApi(
  state: State,
  method: string,
  parts: string[],
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (state.dead) return void request.socket.destroy()
  try {
    await state.before?.(parts.join('/'))
  } catch {
    return void request.socket.destroy()
  }
  if (parts[0] === 'pair') {
    const input = await bodyOf<{ code: string; platform: string; public_key?: string }>(request)
    const plain = input.code.replaceAll('-', '')
    const pairing = state.pairings.get(plain)
    if (!pairing || pairing.used || pairing.expires < Date.now())
      throw new Refusal(404, 'pairing_code_invalid', 'This code does not work.')
    pairing.used = true
    const device: MockDevice = {
      id: state.devices.size + 1,
      name: pairing.device_name,
      gate: pairing.gate,
      paired_at: now(),
      revoked_at: null,
      platform: input.platform,
      token: `adm1_device_${randomBytes(24).toString('base64url')}`,
      event: pairing.event,
      state: null,
      unconfirmed: 0,
      public_key: input.public_key ?? null,
    }
    state.devices.set(device.id, device)
    return send(response, 200, { device_id: device.id, token: device.token, gate: device.gate })
  }
  const device = [...state.devices.values()].find(candidate => candidate.token === bearer(request))
  if (!device) throw new Refusal(401, 'not_signed_in', 'Unknown device.')
  if (device.revoked_at) throw new Refusal(401, 'device_revoked', 'This device was removed.')
  const event = eventOf(state, device.event)
  if (parts[0] === 'sync_offline') return syncDevice(state, event, device, request, response)
  if (parts.length === 1) return send(response, 200, setupOf(state, event, device))
  if (parts[1] === 'download') return downloadPart(state, event, request, response)
  if (parts.length === 4 && parts[3] === 'undo') return undo(state, event, device, parts[2] ?? '', response)
  if (method !== 'POST') throw new Refusal(404, 'not_found', 'There is nothing here.')
  const input = await bodyOf<AdmissionInput>(request)
  const known = state.verdicts.get(input.scan_id)
  if (known) return send(response, known.status, { ...known.body, repeated: true })
  const answer = decide(state, event, device, input)
  state.verdicts.set(input.scan_id, answer)
  send(response, answer.status, answer.body)
  publish(state, event)
}

type AdmissionInput = { code: string; gate: number; scan_id: string; confirm?: boolean; challenge?: string }

const namesOf = (state: State, event: DeskEvent): Names => ({
  device: id => state.devices.get(id)?.name ?? '',
  gate: number => event.gates.find(gate => gate.number === number)?.name ?? '',
  ticket: hash => {
    const ticket = [...state.tickets.values()].find(one => one.hash === hash)
    return {
      number: ticket?.number ?? '',
      type: ticket?.ticket_type.name ?? '',
      maxUses: ticket?.max_uses ?? 0,
    }
  },
})

async function syncDevice(
  state: State,
  event: DeskEvent,
  device: MockDevice,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const report = await bodyOf<Report>(request)
  const answer = sync(state.offline, event.slug, device.id, report, namesOf(state, event))
  for (const told of report.accepted_tokens) countEntries(state, event, device, told.token_hash)
  send(response, 200, answer)
  if (answer.stored > 0) publish(state, event)
}

/** What was told by sync counts as entries of the ticket, in the figures and in the feed. */
function countEntries(state: State, event: DeskEvent, device: MockDevice, hash: string): void {
  const ticket = [...state.tickets.values()].find(one => one.hash === hash)
  if (!ticket) return
  const inside = state.offline.entries.filter(
    entry => entry.token_hash === hash && (entry.stage === 'done' || entry.stage === 'claim'),
  ).length
  const told = ticket.scans.filter(scan => scan.verdict === 'admit').length
  const back = ticket.scans.filter(scan => scan.verdict === 'undo').length
  const facts = { ticket, gate: event.gates.find(one => one.number === device.gate), device: device.name }
  for (let count = told - back; count < inside; count++)
    record(state, event, { ...facts, verdict: 'admit', at: now() })
  for (let count = told - back; count > inside; count--)
    record(state, event, { ...facts, verdict: 'undo', at: now() })
  ticket.uses = inside
  ticket.status = inside > 0 ? 'used' : 'issued'
}

function downloadPart(state: State, event: DeskEvent, request: IncomingMessage, response: ServerResponse) {
  const all = [...state.tickets.values()].filter(ticket => ticket.event === event.slug)
  const after = Number(new URL(request.url ?? '/', 'http://localhost').searchParams.get('after') ?? 0)
  const next = after + state.downloadPage < all.length ? after + state.downloadPage : null
  const tickets = all.slice(after, after + state.downloadPage).map(ticket => ({
    id: ticket.number,
    token_hash: ticket.hash,
    type: ticket.ticket_type.number,
    state: ticket.status,
    name: null,
  }))
  send(response, 200, { event: event.slug, made_at: now(), total: all.length, next, tickets, keys: [] })
}

function setupOf(state: State, event: DeskEvent, device: MockDevice): GateSetup {
  const { number, slug, name, venue, time_zone, doors_at, starts_at, ends_at, show_name_at_gate } = event
  return {
    device: { id: device.id, name: device.name, gate: device.gate },
    event: {
      number,
      slug,
      name,
      venue,
      time_zone,
      doors_at,
      starts_at,
      ends_at,
      show_name_at_gate,
      closes_at_ms: Date.parse(ends_at),
      offline_hours: event.offline_hours ?? 12,
      offline_after_ms: 1_500,
    },
    gates: event.gates,
    ticket_types: event.ticket_types.map(({ number, name, offline, pass, lease_device }) => ({
      number,
      name,
      offline,
      pass,
      lease_since: lease_device === device.id ? 0 : null,
    })),
    days: [],
    keys: [{ key_id: 1, algorithm: 'ed25519', public_key: issuerKey, not_after: null, not_after_ms: null }],
    issuer_keys: [],
    peers: [...state.devices.values()]
      .filter(one => one.event === event.slug && one.public_key && !one.revoked_at)
      .map(one => ({ device: one.id, name: one.name, vkey: vkeyOf(event.number, one) })),
    server_time: now(),
  }
}

/** C2SP signed-note verifier key of a device's lists. */
function vkeyOf(event: number, device: MockDevice): string {
  const name = `admit-one/event-${event}/device-${device.id}`
  const key = Buffer.concat([Buffer.from([1]), Buffer.from(device.public_key ?? '', 'base64url')])
  const id = createHash('sha256').update(`${name}\n`).update(key).digest('hex').slice(0, 8)
  return `${name}+${id}+${key.toString('base64')}`
}

const bareNumber = (text: string) => text.toUpperCase().replace(/[^0-9A-Z]/g, '')

function decide(state: State, event: DeskEvent, device: MockDevice, input: AdmissionInput) {
  const ticket = [...state.tickets.values()].find(
    candidate =>
      candidate.event === event.slug &&
      (candidate.code === input.code || bareNumber(candidate.number) === bareNumber(input.code)),
  )
  const gate = event.gates.find(candidate => candidate.number === input.gate)
  const type = event.ticket_types.find(candidate => candidate.number === ticket?.ticket_type.number)
  const exhausted = ticket && ticket.max_uses > 0 && ticket.uses >= ticket.max_uses
  const reason = !ticket
    ? 'invalid'
    : ticket.status === 'revoked'
      ? 'revoked'
      : input.challenge
        ? 'proof_invalid'
        : !gate?.open
          ? 'gate_closed'
          : type && type.gates.length > 0 && !type.gates.includes(input.gate)
            ? 'entry_point_denied'
            : exhausted
              ? ticket.max_uses === 1
                ? 'already_used'
                : 'uses_exhausted'
              : null
  record(state, event, {
    verdict: reason ? 'refuse' : 'admit',
    ...(reason ? { reason } : {}),
    ticket: ticket ?? null,
    gate,
    at: now(),
    device: device.name,
  })
  const verdict: Verdict = {
    verdict: reason ? 'refuse' : 'admit',
    reason,
    message: messages[reason ?? ''] ?? 'Welcome.',
    scan_id: input.scan_id,
    ticket: ticket
      ? { number: ticket.number, type_number: ticket.ticket_type.number, type_name: ticket.ticket_type.name }
      : null,
    name: event.show_name_at_gate ? (ticket?.name ?? null) : null,
    use: null,
    max_uses: ticket?.max_uses ?? null,
    uses_remaining: null,
    first_admitted_at: ticket?.first_admitted_at ?? null,
    first_gate_name: ticket?.first_gate ?? null,
    at: now(),
    repeated: false,
    undo_until: null,
  }
  if (ticket && !reason) {
    const at = Date.now()
    enter(
      state.offline,
      {
        ...{ event: event.slug, device: device.id, gate: input.gate, at, low: at, sequence: null },
        ...{ local_id: input.scan_id, token_hash: ticket.hash, stage: input.confirm ? 'claim' : 'done' },
      },
      ticket.max_uses,
    )
    ticket.uses += 1
    ticket.status = 'used'
    ticket.first_admitted_at ??= now()
    ticket.first_gate ??= gate?.name ?? null
    verdict.use = ticket.uses
    verdict.uses_remaining = ticket.max_uses === 0 ? null : ticket.max_uses - ticket.uses
    verdict.first_admitted_at = null
    verdict.first_gate_name = null
    verdict.undo_until = inMinutes(1)
  }
  return { status: reason ? 409 : 200, body: verdict }
}

function undo(
  state: State,
  event: DeskEvent,
  device: MockDevice,
  scanId: string,
  response: ServerResponse,
): void {
  const known = state.verdicts.get(scanId)
  const ticket = state.tickets.get(known?.body.ticket?.number ?? '')
  if (known?.body.verdict !== 'admit' || !ticket)
    throw new Refusal(409, 'undo_refused', 'There is nothing to undo.')
  ticket.uses -= 1
  leave(state.offline, scanId)
  if (ticket.uses === 0) {
    ticket.status = 'issued'
    ticket.first_admitted_at = null
    ticket.first_gate = null
  }
  record(state, event, { verdict: 'undo', ticket, gate: event.gates[0], at: now(), device: device.name })
  send(response, 200, { verdict: 'undo', scan_id: scanId, at: now() })
  known.body = { ...known.body, verdict: 'undo' }
  publish(state, event)
}

// --- the desk -----------------------------------------------------------------------------------------------------

function statsOf(state: State, event: DeskEvent): Stats {
  const scans = state.scans.filter(scan => scan.event === event.slug)
  const recent = Date.now() - 60_000
  const of = (verdict: string, list = scans) => list.filter(scan => scan.verdict === verdict)
  const minutes = new Map<string, number>()
  for (const scan of of('admit')) {
    const minute = `${scan.at.slice(0, 16)}:00Z`
    minutes.set(minute, (minutes.get(minute) ?? 0) + 1)
  }
  const refusals: Record<string, number> = {}
  for (const scan of of('refuse')) refusals[scan.reason ?? ''] = (refusals[scan.reason ?? ''] ?? 0) + 1
  const rate = (list: Scan[]) =>
    of('admit', list as typeof scans).filter(scan => Date.parse(scan.at) > recent).length
  return {
    capacity: event.capacity,
    issued: event.issued,
    admitted: [...state.tickets.values()].filter(ticket => ticket.event === event.slug && ticket.uses > 0)
      .length,
    entries: of('admit').length - of('undo').length,
    exits: 0,
    inside: 0,
    refused: of('refuse').length,
    rate_per_minute: rate(scans),
    gates: event.gates.map(gate => {
      const own = scans.filter(scan => scan.gate === gate.number)
      return {
        gate: gate.number,
        name: gate.name,
        admitted: of('admit', own).length,
        refused: of('refuse', own).length,
        rate_per_minute: rate(own),
      }
    }),
    arrivals: [...minutes].sort().map(([minute, count]) => ({ minute, count })),
    refusals,
    as_of: now(),
  }
}

function publish(state: State, event: DeskEvent): void {
  const scan = state.scans.at(-1)
  for (const [stream, slug] of state.streams) {
    if (slug === event.slug)
      stream.write(
        `id: ${state.seq}\nevent: scans\ndata: ${JSON.stringify({ stats: statsOf(state, event), scans: [scan] })}\n\n`,
      )
  }
}

const deskView = ({
  event: _event,
  access: _access,
  code: _code,
  hash: _hash,
  answers: _answers,
  scans: _scans,
  reason: _reason,
  ...ticket
}: MockTicket): DeskTicket => ticket

async function deskApi(
  state: State,
  method: string,
  parts: string[],
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (!state.sessions.has(sessionOf(request))) throw new Refusal(401, 'not_signed_in', 'Please sign in.')
  const [, , slug, noun, key, action] = parts
  if (!slug) {
    if (method === 'GET') return send(response, 200, { events: [...state.events.values()] })
    const input = await bodyOf<EventInput>(request)
    if (state.events.has(input.slug))
      throw new Refusal(409, 'slug_taken', 'This address is taken.', [
        { name: 'slug', message: 'Another event has this address.' },
      ])
    const event: DeskEvent = {
      ...input,
      offline_hours: input.offline_hours ?? 12,
      number: state.events.size + 1,
      created_at: now(),
      ticket_types: [],
      gates: [],
      issued: 0,
      capacity: 0,
    }
    state.events.set(event.slug, event)
    return send(response, 201, event)
  }
  const event = eventOf(state, slug)
  if (!noun) {
    if (method === 'PATCH') Object.assign(event, await bodyOf<Partial<EventInput>>(request))
    return send(response, 200, event)
  }
  if (noun === 'conflicts')
    return send(response, 200, { conflicts: casesOf(state.offline, slug, namesOf(state, event)) })
  if (noun === 'stats') return send(response, 200, statsOf(state, event))
  if (noun === 'live') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    const scans = state.scans
      .filter(scan => scan.event === slug)
      .slice(-100)
      .reverse()
    response.write(
      `retry: 1000\nid: ${state.seq}\nevent: snapshot\ndata: ${JSON.stringify({ stats: statsOf(state, event), scans })}\n\n`,
    )
    state.streams.set(response, slug)
    response.on('close', () => state.streams.delete(response))
    return
  }
  if (noun === 'ticket-types' || noun === 'gates')
    return deskPart(event, noun, Number(key), method, request, response)
  if (noun === 'devices' || noun === 'pairings')
    return deskDevices(state, event, noun, key, method, request, response)
  return deskTickets(state, event, key, action, request, response)
}

/** What the server takes when a new type does not say it. */
const usualType = {
  ...{ kind: 'single-use', max_uses: 1, transferable: 'no', description: '', gates: [], sale: null },
  ...{ valid_from: null, valid_until: null },
  pass: { exits: false, wait_min: 0, lasts: null, per_day: 'any' },
}

const offlineType = { offline: 'any', lease_device: null, lease_holder: null }

async function deskPart(
  event: DeskEvent,
  noun: 'ticket-types' | 'gates',
  number: number,
  method: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const input = await bodyOf<Record<string, unknown>>(request)
  const list = (noun === 'gates' ? event.gates : event.ticket_types) as { number: number }[]
  if (method === 'PATCH') {
    const found = list.find(item => item.number === number)
    if (!found) throw new Refusal(404, 'not_found', 'There is nothing here.')
    return send(response, 200, Object.assign(found, input))
  }
  const made =
    noun === 'gates'
      ? { slug: String(input.name).toLowerCase(), open: true, latitude: null, longitude: null }
      : { ...usualType, ...offlineType, issued: 0, price_cents: 0, rotation: 'none', interval_s: null }
  const item = { ...made, ...input, number: list.length + 1 }
  list.push(item)
  event.capacity = event.ticket_types.reduce((sum, type) => sum + type.quota, 0)
  send(response, 201, item)
}

async function deskDevices(
  state: State,
  event: DeskEvent,
  noun: string,
  id: string | undefined,
  method: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (noun === 'pairings') {
    const input = await bodyOf<{ device_name: string; gate?: number }>(request)
    const plain = draw(16)
    state.pairings.set(plain, {
      code: plain,
      event: event.slug,
      device_name: input.device_name,
      gate: input.gate ?? null,
      expires: Date.now() + 300_000,
      used: false,
    })
    const code = plain.match(/.{4}/g)?.join('-') ?? plain
    const url = `http://${request.headers.host}/gate/#pair=${code}`
    return send(response, 201, { code, url, expires_at: inMinutes(5), svg: renderSVG(url, { border: 2 }) })
  }
  if (method === 'DELETE') {
    const device = state.devices.get(Number(id))
    if (device) device.revoked_at = now()
    return send(response, 204, undefined)
  }
  const devices = [...state.devices.values()].filter(device => device.event === event.slug)
  const { seen } = state.offline
  send(response, 200, {
    devices: devices.map(({ token: _token, event: _event, public_key: _key, ...device }) => ({
      ...device,
      state: seen.get(device.id) ?? null,
    })),
  })
}

async function deskTickets(
  state: State,
  event: DeskEvent,
  number: string | undefined,
  action: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (!number)
    return send(response, 201, deskView(issue(state, event, await bodyOf<RegistrationInput>(request))))
  if (number === 'search') {
    const wanted = await bodyOf<{ query?: string; status?: string; cursor?: string; limit?: number }>(request)
    const query = (wanted.query ?? '').toLowerCase()
    const { status } = wanted
    const bare = query.replace(/[^a-z0-9]/g, '')
    const found = [...state.tickets.values()]
      .filter(ticket => ticket.event === event.slug && (!status || ticket.status === status))
      .filter(
        ticket =>
          !query ||
          (query.includes('@')
            ? ticket.email === query
            : ticket.number.toLowerCase().replace(/-/g, '').includes(bare)),
      )
    const from = Number(wanted.cursor ?? 0)
    const limit = wanted.limit ?? 50
    const next = from + limit < found.length ? String(from + limit) : null
    return send(response, 200, {
      tickets: found.slice(from, from + limit).map(deskView),
      next_cursor: next,
      total: found.length,
    })
  }
  const ticket = state.tickets.get(number)
  if (ticket?.event !== event.slug) throw new Refusal(404, 'not_found', 'There is no such ticket.')
  if (action === 'pdf') return send(response, 200, pdfOf(ticket), 'application/pdf')
  if (action === 'revoke') {
    ticket.status = 'revoked'
    state.offline.revoked.add(ticket.hash)
  }
  if (action === 'reinstate') state.offline.revoked.delete(ticket.hash)
  if (action === 'reinstate') ticket.status = ticket.uses > 0 ? 'used' : 'issued'
  if (action === 'erase')
    Object.assign(ticket, { name: null, email: null, phone: null, answers: {}, erased: true })
  const detail = {
    answers: ticket.answers,
    scans: ticket.scans,
    access_url: `/ticket/#${ticket.access}`,
    rotation: 'none',
  }
  send(response, 200, action ? deskView(ticket) : { ...deskView(ticket), ...detail })
}

// --- files --------------------------------------------------------------------------------------------------------

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
}
const prefixes: [string, string][] = [
  ['/ticket/', 'wallet'],
  ['/gate/', 'gate'],
  ['/desk/', 'desk'],
  ['/docs/', 'docs'],
  ['/help/', 'help'],
  ['/sandbox/', 'sandbox'],
]

function serveFile(path: string, response: ServerResponse): void {
  if (path === '/help/ca.json') {
    send(response, 200, {
      fingerprint: createHash('sha256').update('ca').digest('hex'),
      names: ['admit.local', '192.168.1.10'],
      https_port: 8443,
    })
    return
  }
  const dist = join(root, 'dist')
  const prefix = prefixes.find(([start]) => path.startsWith(start))
  let file = path
  if (prefix) {
    const rest = path.slice(prefix[0].length)
    file = /^(sw\.js|manifest\.webmanifest)$/.test(rest)
      ? `/${prefix[1]}/${rest}`
      : `/${prefix[1]}/index.html`
  } else if (path === '/' || path.startsWith('/e/')) file = '/register/index.html'
  const full = join(dist, normalize(file))
  if (!full.startsWith(dist) || !existsSync(full)) {
    send(response, 404, 'not found', 'text/plain')
    return
  }
  const headers = {
    'content-security-policy': csp,
    'cache-control': path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'x-content-type-options': 'nosniff',
  }
  send(response, 200, readFileSync(full), types[extname(full)] ?? 'application/octet-stream', headers)
}

export async function main(): Promise<void> {
  const mock = await startMock(Number(process.env.PORT ?? 4180))
  console.log(`mock server on ${mock.url}, sign in as demo / demo-password`)
}
