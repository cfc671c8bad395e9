// Tickets whose code changes, on phones against a real server: bound once, drawn offline, a picture of one worth nothing.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader'
import { check } from './accessibility.ts'
import { walkAlone } from './alone.ts'
import { open, type Place } from './place.ts'
import { kept, must, step } from './step.ts'

export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true }
export const INTERVAL_S = 15
const TEN_MINUTES_MS = 600_000
const NEXT_CODE = { timeout: 2_000 * INTERVAL_S }

export type Answer = { status: number; body: Record<string, unknown> }

const wasm = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm')
prepareZXingModule({ overrides: { wasmBinary: readFileSync(wasm).buffer as ArrayBuffer } })

/** A call of the API from inside a page: with its session, or with a credential instead. */
export const api = (
  page: Page,
  method: string,
  path: string,
  body?: object,
  bearer?: string,
): Promise<Answer> =>
  page.evaluate(
    async ([how, where, what, credential]) => {
      const headers: Record<string, string> = { 'content-type': 'application/json' }
      if (credential) headers.authorization = `Bearer ${credential}`
      const credentials = credential ? 'omit' : 'same-origin'
      const answer = await fetch(where, { method: how, headers, credentials, body: what ?? null })
      return { status: answer.status, body: await answer.json() }
    },
    [method, path, body && JSON.stringify(body), bearer] as const,
  )

export async function made(page: Page, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await api(page, 'POST', path, body)
  must(answer.status < 300, `${path} done, not ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

export const accessOf = (page: Page) => new URL(page.url()).hash.slice(1)

/** The epoch of the code that is drawn, once it is another than `old`. */
export async function epochOn(page: Page, old = -1): Promise<number> {
  const shown = await page.waitForFunction(
    before => {
      const epoch = document.querySelector<HTMLElement>('.countdown')?.dataset.epoch
      return epoch && Number(epoch) !== before ? Number(epoch) : null
    },
    old,
    NEXT_CODE,
  )
  return (await shown.jsonValue()) ?? -1
}

/** What a camera would read off the screen. */
export async function codeOn(page: Page): Promise<string> {
  const image = page.locator('img.code').first()
  await image.evaluate((element: HTMLImageElement) => element.decode())
  const [read] = await readBarcodes(new Uint8Array(await page.locator('.code-button').screenshot()))
  const text = read?.text ?? ''
  must(text.startsWith('R1:'), `a code that changes on the screen, not ${text}`)
  return text
}

/** The code that follows on `old`: its picture may come a moment after its countdown. */
async function codeAfter(page: Page, old: string): Promise<string> {
  const until = Date.now() + NEXT_CODE.timeout
  for (;;) {
    const code = await codeOn(page)
    if (code !== old) return code
    must(Date.now() < until, 'another code after the interval')
  }
}

export const scanner = (desk: Page, token: string) => (code: string) =>
  api(
    desk,
    'POST',
    '/v1/gate/admissions',
    { code, gate: 1, scan_id: randomBytes(16).toString('base64url') },
    token,
  )

export async function admitted(scan: (code: string) => Promise<Answer>, code: string): Promise<void> {
  const { status, body } = await scan(code)
  must(status === 200 && body.verdict === 'admit', `admitted, not ${status} ${JSON.stringify(body)}`)
}

async function makeEvent(desk: Page, place: Place, slug: string): Promise<string> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
  const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
  await made(desk, '/v1/desk/events', {
    ...{ slug, name: 'Changing codes', venue: 'Kesselhaus', description: '', time_zone: 'Europe/Berlin' },
    ...{ doors_at: null, starts_at: at(1), ends_at: at(2), registration: 'open', token_format: 'a1' },
    ...{ show_name_at_gate: false, phone: 'hidden', questions: [] },
  })
  await made(desk, `/v1/desk/events/${slug}/gates`, { name: 'Main gate' })

  await desk.goto(`${place.url}/desk/events/${slug}/settings`)
  await desk.getByRole('button', { name: 'Add a ticket type' }).click()
  await desk.fill('dialog #field-name', 'Bound')
  await desk.fill('dialog #field-quota', '20')
  await desk.selectOption('dialog #field-kind', 'entries')
  await desk.fill('dialog #field-max_uses', '0')
  must((await desk.locator('#field-interval_s').count()) === 0, 'no interval for a code that never changes')
  await desk.selectOption('#field-rotation', { label: 'Changes, bound to the phone (recommended)' })
  await desk.selectOption('#field-interval_s', `${INTERVAL_S}`)
  await desk.click('dialog button[type=submit]')
  await desk.locator('dialog').waitFor({ state: 'detached' })
  await desk.getByText(`new code every ${INTERVAL_S} s`).waitFor()

  const pairing = await made(desk, `/v1/desk/events/${slug}/pairings`, { device_name: 'Scanner', gate: 1 })
  const paired = await made(desk, '/v1/pair', { code: pairing.code, platform: 'test' })
  return String(paired.token)
}

/** Registers, and loses the answer to the binding: the same key must repair it. */
async function registerAndBind(attendee: Page, desk: Page, place: Place, slug: string): Promise<void> {
  let lost = ''
  await attendee.route('**/v1/ticket/bind', async route => {
    lost = route.request().postDataJSON().public_key
    const bearer = route.request().headers().authorization?.slice('Bearer '.length)
    const bound = await api(desk, 'POST', '/v1/ticket/bind', { public_key: lost }, bearer)
    must(bound.status === 200, `bound, not ${bound.status}`)
    await route.abort()
  })
  await attendee.goto(`${place.url}/e/${slug}`)
  await attendee.fill('#field-name', 'Amina Diallo')
  await attendee.fill('#field-email', `rotation${Date.now()}@example.org`)
  await attendee.click('button[type=submit]')
  await attendee.waitForURL(/\/ticket\/#adm1_ticket_/)
  await attendee.waitForSelector('[data-binding="no_answer"]')
  await attendee.unroute('**/v1/ticket/bind')
  const [request] = await Promise.all([
    attendee.waitForRequest('**/v1/ticket/bind'),
    attendee.getByRole('button', { name: 'Try again' }).click(),
  ])
  must(request.postDataJSON().public_key === lost, 'the same key again')
  await epochOn(attendee)
  must(
    (await attendee.getByRole('button', { name: 'Download PDF' }).count()) === 0,
    'no PDF of such a ticket',
  )
}

/** Of every key that is kept: whether it could be read out. */
const keysOn = (page: Page) =>
  page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('admit-wallet-keys')
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error)
    })
    const all = await new Promise<Record<string, unknown>[]>(resolve => {
      const reading = database.transaction('keys').objectStore('keys').getAll()
      reading.onsuccess = () => resolve(reading.result)
    })
    database.close()
    return all.map(kept => {
      const key = (kept.secret ?? (kept.pair as CryptoKeyPair).privateKey) as CryptoKey
      return key.extractable || 'claim' in kept
    })
  })

async function keysStay(page: Page): Promise<void> {
  const keys = await keysOn(page)
  must(keys.length === 1 && !keys[0], 'one key, which nobody can read out')
}

/** A second phone with the same link: told at once, and told when it asks the server nevertheless. */
async function elsewhere(browser: Browser, desk: Page, place: Place, access: string): Promise<void> {
  const page = await (await open(browser, phone)).newPage()
  await page.goto(`${place.url}/ticket/#${access}`)
  await page.waitForSelector('[data-binding="elsewhere"]')
  must((await page.locator('img.code').count()) === 0, 'no code on the other phone')
  // As if both had been opened at once: the second hears it only from the server.
  const held = (await api(desk, 'GET', '/v1/ticket', undefined, access)).body
  const early = { ...held, rotation: { ...(held.rotation as object), bound: false, head: null } }
  await page.route('**/v1/ticket', route => route.fulfill({ json: early }))
  const [answer] = await Promise.all([page.waitForResponse('**/v1/ticket/bind'), page.reload()])
  must(answer.status() === 409, `refused by the server, not ${answer.status()}`)
  await page.getByText('This ticket lives on another phone').waitFor()
  await page.context().close()
}

/** Browsers that keep nothing, and browsers that keep no keys, say so; the ticket is not bound to them. */
async function keepsNoKeys(browser: Browser, desk: Page, place: Place, slug: string): Promise<void> {
  const url = await issue(desk, place, slug, 1)
  const refusals = [
    () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('refused', 'SecurityError')
      }
    },
    () => {
      const put = IDBObjectStore.prototype.put
      IDBObjectStore.prototype.put = function (this: IDBObjectStore, value: object, key?: IDBValidKey) {
        if ('pair' in value) throw new DOMException('not cloned', 'DataCloneError')
        return key === undefined ? put.call(this, value) : put.call(this, value, key)
      }
    },
  ]
  for (const refusal of refusals) {
    const page = await (await open(browser, phone)).newPage()
    await page.addInitScript(refusal)
    await page.goto(url)
    await page.waitForSelector('[data-binding="no_key"]')
    await page.getByText('This browser cannot keep this ticket').waitFor()
    await page.context().close()
  }
  const { body } = await api(desk, 'GET', '/v1/ticket', undefined, new URL(url).hash.slice(1))
  must((body.rotation as { bound: boolean }).bound === false, 'nothing bound to what keeps no key')
}

async function offline(attendee: Page, scan: (code: string) => Promise<Answer>): Promise<void> {
  await attendee.evaluate(() => navigator.serviceWorker.ready)
  await kept(attendee)
  const before = await epochOn(attendee)
  const old = await codeOn(attendee)
  await attendee.context().setOffline(true)
  await attendee.reload()
  await attendee.getByText('This is the copy from').waitFor()
  await epochOn(attendee, before)
  await admitted(scan, await codeAfter(attendee, old))
  await attendee.context().setOffline(false)
}

/** A phone ten minutes off: said, and its codes are of the server's time. Then time runs: the code changes. */
async function wrongClock(attendee: Page, place: Place, offMs: number, word: string): Promise<void> {
  const page = await attendee.context().newPage()
  await page.clock.install({ time: Date.now() + offMs })
  await page.goto(`${place.url}/ticket/#${accessOf(attendee)}`)
  await page
    .getByText(`The clock of this phone is 10 min ${word}; the code uses the server’s time.`)
    .waitFor()
  const epoch = await epochOn(page)
  const right = Date.now() / 1000 / INTERVAL_S
  must(Math.abs(epoch - right) < 2, `an epoch of the server's time, not ${epoch} at ${right}`)
  must(/^QR refreshes in \d+ s$/.test((await page.locator('.countdown').innerText()).trim()), 'the countdown')
  const old = await codeOn(page)
  await page.clock.fastForward(INTERVAL_S * 1000)
  must((await epochOn(page, epoch)) > epoch, 'a later code after the interval')
  await codeAfter(page, old)
  await page.close()
}

async function shared(
  browser: Browser,
  desk: Page,
  place: Place,
  slug: string,
  token: string,
): Promise<void> {
  const type = { name: 'Shared', quota: 5, max_uses: 0, rotation: 'shared', interval_s: INTERVAL_S }
  await made(desk, `/v1/desk/events/${slug}/ticket-types`, type)
  const url = await issue(desk, place, slug, 2)
  const page = await (await open(browser, phone)).newPage()
  const said: string[] = []
  page.on('console', message => said.push(message.text()))
  let secret = ''
  await page.route('**/v1/ticket/bind', async route => {
    const bearer = new URL(url).hash.slice(1)
    const { body } = await api(desk, 'POST', '/v1/ticket/bind', route.request().postDataJSON(), bearer)
    secret = String(body.secret)
    await route.fulfill({ json: body })
  })
  await page.goto(url)
  await epochOn(page)
  const readable = await page.evaluate(
    () => `${JSON.stringify(localStorage)} ${document.documentElement.outerHTML} ${location.href}`,
  )
  must(secret.length === 43 && !`${readable} ${said}`.includes(secret), 'the secret nowhere to be read')
  const code = await codeOn(page)
  await admitted(scanner(desk, token), code)
  must((await scanner(desk, token)(code)).body.reason === 'epoch_replayed', 'the picture refused')
  await keysStay(page)
  // The secret was told once: from here on the kept key makes the codes.
  await page.reload()
  await epochOn(page)
  await page.context().close()
}

export async function issue(desk: Page, place: Place, slug: string, type: number): Promise<string> {
  const issued = await made(desk, `/v1/desk/events/${slug}/tickets`, { ticket_type: type, name: 'A Guest' })
  const { body } = await api(desk, 'GET', `/v1/desk/events/${slug}/tickets/${issued.number}`)
  return new URL(String(body.access_url), place.url).href
}

async function accessible(browser: Browser, desk: Page, place: Place, slug: string, bound: string) {
  const context = await open(browser, { bypassCSP: true, serviceWorkers: 'block', viewport: phone.viewport })
  const own = await issue(desk, place, slug, 1)
  const findings = [
    ...(await check(context, { name: 'changing code', url: own, ready: '.countdown[data-epoch]' })),
    ...(await check(context, {
      name: 'changing code, big',
      url: own,
      ready: '.countdown[data-epoch]',
      act: page => page.click('.actions .button'),
    })),
    ...(await check(context, { name: 'on another phone', url: bound, ready: '[data-binding]' })),
  ]
  await context.close()
  must(findings.length === 0, `nothing for axe to find: ${findings.join('; ')}`)
}

export async function walkRotation(browser: Browser, place: Place): Promise<void> {
  const slug = `changing-${Date.now() % 1_000_000}`
  const desk = await (await open(browser)).newPage()
  const attendee = await (await open(browser, phone)).newPage()
  const token = await step('changing codes: a ticket type of them, made at the desk', () =>
    makeEvent(desk, place, slug),
  )
  const scan = scanner(desk, token)
  await step('changing codes: bound on first opening, a lost answer repaired by the same key', async () => {
    await registerAndBind(attendee, desk, place, slug)
    await keysStay(attendee)
  })
  await step('changing codes: the code on the screen enters once, its picture not', async () => {
    const code = await codeOn(attendee)
    await admitted(scan, code)
    const again = await scan(code)
    must(again.body.reason === 'epoch_replayed', `the picture refused, not ${JSON.stringify(again.body)}`)
    await admitted(scan, await codeAfter(attendee, code))
  })
  await step('changing codes: a second phone is told', () =>
    elsewhere(browser, desk, place, accessOf(attendee)),
  )
  await step('changing codes: a browser that keeps no keys says so', () =>
    keepsNoKeys(browser, desk, place, slug),
  )
  await step('changing codes: fresh and good without a network', () => offline(attendee, scan))
  await step('changing codes: a wrong clock is said and does no harm, fast or slow', async () => {
    await wrongClock(attendee, place, TEN_MINUTES_MS, 'fast')
    await wrongClock(attendee, place, -TEN_MINUTES_MS, 'slow')
  })
  await step('changing codes: by a shared secret', () => shared(browser, desk, place, slug, token))
  await step('changing codes: axe, light and dark', () =>
    accessible(browser, desk, place, slug, attendee.url()),
  )
  await attendee.context().close()
  await desk.context().close()
}

/** The changing codes alone: `npm run e2e:rotation`, for a real server. */
export const main = () => walkAlone('rotation', walkRotation)
