// Stands in for Stripe in the browser tests: opens Checkout sessions, has a page to pay on, tells of them, and sends a signed
// notice. What it speaks is https://docs.stripe.com/api/checkout/sessions, as far as the server asks.
import { createHmac, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'

export const KEY = 'sk_test_stand_in'
export const WEBHOOK_SECRET = 'whsec_stand_in'

type Session = {
  id: string
  amount: number
  currency: string
  name: string
  paid: boolean
  success: string
  metadata: Record<string, string>
}

const sessions = new Map<string, Session>()

const json = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** `metadata[order]` and the like. */
const group = (form: URLSearchParams, name: string) =>
  Object.fromEntries(
    [...form].flatMap(([key, value]) => {
      const inner = key.startsWith(`${name}[`) ? key.slice(name.length + 1, -1) : null
      return inner === null ? [] : [[inner, value]]
    }),
  )

const shown = (session: Session, host: string) => ({
  id: session.id,
  object: 'checkout.session',
  mode: 'payment',
  status: session.paid ? 'complete' : 'open',
  payment_status: session.paid ? 'paid' : 'unpaid',
  amount_total: session.amount,
  currency: session.currency,
  metadata: session.metadata,
  url: session.paid ? null : `http://${host}/pay/${session.id}`,
})

async function open(incoming: IncomingMessage, response: ServerResponse, host: string): Promise<void> {
  const form = new URLSearchParams(await text(incoming))
  const item = 'line_items[0]'
  const amount = Number(form.get(`${item}[price_data][unit_amount]`)) * Number(form.get(`${item}[quantity]`))
  const session: Session = {
    id: `cs_test_${randomBytes(18).toString('hex')}`,
    amount,
    currency: form.get(`${item}[price_data][currency]`) ?? '',
    name: form.get(`${item}[price_data][product_data][name]`) ?? '',
    paid: false,
    success: form.get('success_url') ?? '',
    metadata: group(form, 'metadata'),
  }
  sessions.set(session.id, session)
  json(response, 200, shown(session, host))
}

/** As Stripe signs: the time, a full stop, and the body. */
function notify(session: Session, host: string): void {
  const body = JSON.stringify({
    type: 'checkout.session.completed',
    data: { object: shown(session, host) },
  })
  const time = Math.floor(Date.now() / 1000)
  const tag = createHmac('sha256', WEBHOOK_SECRET).update(`${time}.${body}`).digest('hex')
  const { hostname, port } = new URL(session.success)
  const headers = { 'content-type': 'application/json', 'stripe-signature': `t=${time},v1=${tag}` }
  const path = '/v1/payments/stripe'
  const options = { hostname, port, path, method: 'POST', headers, rejectUnauthorized: false }
  const notice = request(options, answer => {
    answer.resume()
    if (answer.statusCode !== 204) console.error(`the notice was answered ${answer.statusCode}`)
  })
  notice.on('error', error => console.error(`the notice did not arrive: ${error.message}`))
  notice.end(body)
}

const payPage = (session: Session) => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Stand-in for Stripe</title>
<h1>${session.name.replace(/[<&]/g, '')}</h1><p>${session.amount / 100} ${session.currency.toUpperCase()}</p>
<form method="post"><button>Pay</button></form></html>`

async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const host = incoming.headers.host ?? ''
  const [, first, second = '', , id = ''] = (incoming.url ?? '').split('/')
  if (first === 'pay') {
    const session = sessions.get(second)
    if (!session) return void response.writeHead(404).end()
    if (incoming.method === 'GET')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end(payPage(session))
    session.paid = true
    notify(session, host)
    return void response.writeHead(303, { location: session.success }).end()
  }
  if (incoming.headers.authorization !== `Bearer ${KEY}`)
    return json(response, 401, { error: { type: 'invalid_request_error' } })
  if (incoming.method === 'POST') return open(incoming, response, host)
  const session = sessions.get(id)
  if (!session) return json(response, 404, { error: { code: 'resource_missing' } })
  json(response, 200, shown(session, host))
}

/** Serves until it is ended; its port is the first line. */
export function main(): Promise<void> {
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(error => {
      console.error(error)
      response.writeHead(500).end()
    })
  })
  return new Promise(done => {
    server.on('close', done)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : null
      console.log(JSON.stringify({ ready: true, port }))
    })
  })
}
