// Passes and transfers against a real server: in and out, handed on, agreed to, moved to another phone; the old code void.
import { randomBytes } from 'node:crypto'
import type { Browser, Page } from 'playwright-core'
import { check } from './accessibility.ts'
import { walkAlone } from './alone.ts'
import { open, type Place } from './place.ts'
import { gateOf, presents, restarted } from './proof.ts'
import {
  type Answer,
  accessOf,
  admitted,
  api,
  codeOn,
  epochOn,
  INTERVAL_S,
  issue,
  made,
  phone,
  scanner,
} from './rotation.ts'
import { must, step } from './step.ts'

const PASS = 1
const ASKED = 2
const BOUND = 3

/** Pictures of what changed, for people to look at, where the environment names a folder. */
async function picture(page: Page, name: string): Promise<void> {
  const out = process.env.ADMIT_E2E_SHOTS
  if (out) await page.screenshot({ path: `${out}/${name}.png`, fullPage: true })
}

async function signIn(desk: Page, place: Place): Promise<void> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
}

async function makeEvent(desk: Page, place: Place, slug: string): Promise<string> {
  await signIn(desk, place)
  const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
  await made(desk, '/v1/desk/events', {
    ...{ slug, name: 'Season of passes', venue: 'Kesselhaus', description: '', time_zone: 'Europe/Berlin' },
    ...{ doors_at: null, starts_at: at(1), ends_at: at(40), registration: 'open', token_format: 'a1' },
    ...{ show_name_at_gate: false, phone: 'hidden', questions: [] },
  })
  await made(desk, `/v1/desk/events/${slug}/gates`, { name: 'Main gate' })
  await desk.goto(`${place.url}/desk/events/${slug}/settings`)
  await desk.getByRole('button', { name: 'Add a ticket type' }).click()
  await desk.fill('dialog #field-name', 'Day pass')
  must((await desk.locator('#field-wait_min').count()) === 0, 'no rules for a ticket of one entry')
  await desk.selectOption('#field-kind', 'day')
  await desk.check('dialog input[name=exits]')
  await desk.selectOption('#field-transferable', 'free')
  await picture(desk, 'desk-type')
  await desk.click('dialog button[type=submit]')
  await desk.locator('dialog').waitFor({ state: 'detached' })
  await desk.getByText('day pass · no limit of entries · scanned out before it enters again').waitFor()
  const types = `/v1/desk/events/${slug}/ticket-types`
  await made(desk, types, { name: 'Seat', quota: 9, kind: 'single-use', transferable: 'approval' })
  await made(desk, types, {
    ...{ name: 'Bound', quota: 9, kind: 'entries', pass: { exits: true } },
    ...{ rotation: 'device', interval_s: INTERVAL_S },
  })
  const pairing = await made(desk, `/v1/desk/events/${slug}/pairings`, { device_name: 'Scanner', gate: 1 })
  const paired = await made(desk, '/v1/pair', { code: pairing.code, platform: 'test' })
  return String(paired.token)
}

const going = (desk: Page, token: string, direction: string) => (code: string) =>
  api(
    desk,
    'POST',
    '/v1/gate/admissions',
    { code, gate: 1, direction, scan_id: randomBytes(16).toString('base64url') },
    token,
  )

async function refused(scan: (code: string) => Promise<Answer>, code: string, reason: string): Promise<void> {
  const { status, body } = await scan(code)
  must(status === 409 && body.reason === reason, `refused as ${reason}, not ${JSON.stringify(body)}`)
}

/** What the QR of a ticket that never changes says. */
async function codeOf(desk: Page, access: string): Promise<string> {
  return String((await api(desk, 'GET', '/v1/ticket', undefined, access)).body.code)
}

async function newTicket(desk: Page, place: Place, slug: string, type: number): Promise<string> {
  return new URL(await issue(desk, place, slug, type)).hash.slice(1)
}

async function inAndOut(desk: Page, place: Place, slug: string, token: string): Promise<void> {
  const code = await codeOf(desk, await newTicket(desk, place, slug, PASS))
  const [enter, leave] = [going(desk, token, 'entry'), going(desk, token, 'exit')]
  await refused(leave, code, 'not_inside')
  await admitted(enter, code)
  // The same ticket on a second phone, handed back over the fence.
  await refused(enter, code, 'inside')
  const live = await desk.context().newPage()
  await live.goto(`${place.url}/desk/events/${slug}`)
  const shows = (name: string, value: string) =>
    live.waitForFunction(
      ([key, wanted]) => document.querySelector(`[data-figure="${key}"]`)?.textContent === wanted,
      [name, value],
    )
  await shows('inside', '1')
  await admitted(leave, code)
  await shows('inside', '0')
  await shows('entries', '1')
  await live.locator('[data-verdict="exit"]').first().waitFor()
  await picture(live, 'desk-live')
  await admitted(enter, code)
  await live.close()
}

async function counts(gate: Page, what: 'Entries' | 'Exits'): Promise<void> {
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByLabel(what, { exact: true }).check({ force: true })
  await picture(gate, `gate-menu-${what.toLowerCase()}`)
  await gate.locator('dialog').getByRole('button', { name: 'Close' }).click()
}

/** The same through the scanner that people hold: its word on each, and nobody kept in for want of a network. */
async function atTheGate(browser: Browser, desk: Page, place: Place, slug: string): Promise<void> {
  const code = await codeOf(desk, await newTicket(desk, place, slug, PASS))
  const other = await codeOf(desk, await newTicket(desk, place, slug, PASS))
  const gate = await gateOf(browser, desk, place, slug)
  const says = async (presented: string, tone: string, word: string) => {
    const said = await presents(gate, presented, tone)
    must(said === word, `${word}, not ${said}`)
  }
  await says(code, 'admit', 'Admit')
  await restarted(gate)
  await says(code, 'refuse', 'Already inside')
  await counts(gate, 'Exits')
  await says(code, 'out', 'Left')
  must(/Exit/.test((await gate.locator('.verdict').textContent()) ?? ''), 'EXIT in the verdict')
  for (const colorScheme of ['light', 'dark'] as const) {
    await gate.emulateMedia({ colorScheme })
    await picture(gate, `gate-left-${colorScheme}`)
  }
  await restarted(gate)
  await gate.locator('.exit-banner').getByText('Exit', { exact: true }).waitFor()
  await gate.locator('.status').getByText('1 left').waitFor()
  await says(code, 'refuse', 'Not inside')
  await picture(gate, 'gate-not-inside')
  await gate.context().setOffline(true)
  await gate.waitForSelector('.link.offline')
  await says(other, 'wait', 'Let them out')
  await gate.getByText('No connection: let them out, it is not recorded.').waitFor()
  await picture(gate, 'gate-let-out')
  await gate.context().setOffline(false)
  await gate.waitForSelector('.link.online')
  await counts(gate, 'Entries')
  must((await gate.locator('.exit-banner').count()) === 0, 'no EXIT any more')
  await says(code, 'admit', 'Admit')
  await gate.context().close()
}

async function opened(browser: Browser, place: Place, credential: string): Promise<Page> {
  const page = await (await open(browser, phone)).newPage()
  await page.goto(`${place.url}/ticket/#${credential}`)
  return page
}

/** The credential in the link of an offer that a wallet makes. */
async function offerOn(page: Page, button: string, make: string): Promise<string> {
  await page.getByRole('button', { name: button }).click()
  await page.getByRole('button', { name: make }).click()
  const url = await page.locator('[data-offer]').getAttribute('data-offer')
  await page.locator('.offer-code img').waitFor()
  await picture(page, `wallet-${make.replaceAll(' ', '-').toLowerCase()}`)
  return new URL(url ?? '').hash.slice(1)
}

async function takes(page: Page, name: string): Promise<void> {
  await page.waitForSelector('[data-offer-step="open"]')
  await page.click('button[type=submit]')
  await page.getByText('This is needed.').first().waitFor()
  await picture(page, 'wallet-take')
  await page.fill('#field-name', name)
  await page.fill('#field-email', `taker${Date.now()}@example.org`)
  await page.click('button[type=submit]')
}

const isMine = (page: Page) => page.waitForURL(/\/ticket\/#adm1_ticket_/)

async function handedOn(browser: Browser, desk: Page, place: Place, slug: string, token: string) {
  const access = await newTicket(desk, place, slug, PASS)
  const [old, enter] = [await codeOf(desk, access), going(desk, token, 'entry')]
  const giver = await opened(browser, place, access)
  const link = await offerOn(giver, 'Hand it on', 'Make the link')
  const taker = await opened(browser, place, link)
  await takes(taker, 'Tess Taker')
  await isMine(taker)
  await taker.getByText('Tess Taker').waitFor()
  must(accessOf(taker) !== access, 'a link of its own')
  await refused(enter, old, 'transferred')
  await admitted(enter, await codeOf(desk, accessOf(taker)))
  // The link again: the taker's phone opens the ticket, any other one hears that it is gone.
  await taker.goto(`${place.url}/ticket/#${link}`)
  await isMine(taker)
  const late = await opened(browser, place, link)
  await late.waitForSelector('[data-offer-step="taken"]')
  await giver.reload()
  await giver.getByText('Passed on to somebody else').waitFor()
  must((await giver.locator('img.code').count()) === 0, 'no code on the old phone')
  await picture(giver, 'wallet-passed-on')
  for (const page of [giver, taker, late]) await page.context().close()
}

async function takenBack(browser: Browser, desk: Page, place: Place, slug: string, token: string) {
  const access = await newTicket(desk, place, slug, PASS)
  const giver = await opened(browser, place, access)
  const link = await offerOn(giver, 'Hand it on', 'Make the link')
  await giver.getByRole('button', { name: 'Take it back' }).click()
  await giver.getByText('The link opens nothing any more.').waitFor()
  const taker = await opened(browser, place, link)
  await taker.waitForSelector('[data-offer-step="over"]')
  await admitted(going(desk, token, 'entry'), await codeOf(desk, access))
  for (const page of [giver, taker]) await page.context().close()
}

async function agreed(browser: Browser, desk: Page, place: Place, slug: string, token: string) {
  const access = await newTicket(desk, place, slug, ASKED)
  const old = await codeOf(desk, access)
  const giver = await opened(browser, place, access)
  const taker = await opened(browser, place, await offerOn(giver, 'Hand it on', 'Make the link'))
  await takes(taker, 'Ada Asker')
  await taker.waitForSelector('[data-offer-step="asked"]')
  await picture(taker, 'wallet-asked')
  await giver.reload()
  await giver.getByText('It stays good until the organiser agrees.').first().waitFor()
  await desk.goto(`${place.url}/desk/events/${slug}/tickets`)
  await desk.locator('[data-transfers="1"]').getByText('Ada Asker').waitFor()
  await picture(desk, 'desk-transfers')
  await desk.getByRole('button', { name: 'Agree' }).click()
  await desk.getByText('The ticket went to its new holder.').waitFor()
  await taker.getByRole('button', { name: 'Look again' }).click()
  await isMine(taker)
  await refused(going(desk, token, 'entry'), old, 'transferred')
  await admitted(going(desk, token, 'entry'), await codeOf(desk, accessOf(taker)))
  for (const page of [giver, taker]) await page.context().close()
}

/** Keys on this phone, whatever their tickets. */
const keysOn = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('admit-wallet-keys')
        opening.onerror = () => reject(opening.error)
        opening.onsuccess = () => {
          const counting = opening.result.transaction('keys').objectStore('keys').count()
          counting.onsuccess = () => resolve(counting.result)
        }
      }),
  )

async function moved(browser: Browser, desk: Page, place: Place, slug: string, token: string) {
  const scan = scanner(desk, token)
  const old = await opened(browser, place, await newTicket(desk, place, slug, BOUND))
  await epochOn(old)
  const link = await offerOn(old, 'Move to another phone', 'Show the picture')
  await old.getByRole('button', { name: 'Close' }).click()
  // The old phone hears nothing of what follows, and goes on drawing codes.
  await old.context().setOffline(true)
  const fresh = await opened(browser, place, link)
  await fresh.waitForSelector('[data-offer-step="open"]')
  await picture(fresh, 'wallet-move-here')
  await fresh.getByRole('button', { name: 'Move it here' }).click()
  await isMine(fresh)
  await epochOn(fresh)
  await refused(scan, await codeOn(old), 'transferred')
  await admitted(scan, await codeOn(fresh))
  await old.context().setOffline(false)
  await old.reload()
  await old.getByText('Moved to another phone').waitFor()
  must((await keysOn(old)) === 0 && (await keysOn(fresh)) === 1, 'the key on the new phone only')
  for (const page of [old, fresh]) await page.context().close()
}

async function reissued(browser: Browser, desk: Page, place: Place, slug: string, token: string) {
  const lost = await opened(browser, place, await newTicket(desk, place, slug, BOUND))
  await epochOn(lost)
  const number = (await lost.locator('.ticket-number').first().textContent()) ?? ''
  await desk.goto(`${place.url}/desk/events/${slug}/tickets/${number}`)
  await desk.getByRole('button', { name: 'Issue anew' }).click()
  await desk.locator('dialog').getByRole('button', { name: 'Issue anew' }).click()
  await desk.waitForFunction(old => !location.pathname.endsWith(old), number)
  await lost.context().setOffline(true)
  await refused(scanner(desk, token), await codeOn(lost), 'transferred')
  await lost.context().close()
}

async function accessible(browser: Browser, desk: Page, place: Place, slug: string): Promise<void> {
  const context = await open(browser, { bypassCSP: true, serviceWorkers: 'block', viewport: phone.viewport })
  const access = await newTicket(desk, place, slug, PASS)
  const secret = randomBytes(16).toString('base64url')
  const other = await newTicket(desk, place, slug, PASS)
  const offer = await api(desk, 'POST', '/v1/ticket/offer', { to: 'give', secret }, other)
  const findings = [
    ...(await check(context, {
      name: 'handing on',
      url: `${place.url}/ticket/#${access}`,
      ready: '.actions',
      act: async page => {
        await page.getByRole('button', { name: 'Hand it on' }).click()
        await page.getByRole('button', { name: 'Make the link' }).click()
        await page.waitForSelector('[data-offer]')
      },
    })),
    ...(await check(context, {
      name: 'taking',
      url: String(offer.body.url).replace(/^.*\/ticket/, `${place.url}/ticket`),
      ready: '[data-offer-step="open"]',
    })),
  ]
  await context.close()
  must(findings.length === 0, `nothing for axe to find: ${findings.join('; ')}`)
}

export async function walkPasses(browser: Browser, place: Place): Promise<void> {
  const slug = `passes-${Date.now() % 1_000_000}`
  const desk = await (await open(browser)).newPage()
  const token = await step('passes: types with rules, made at the desk', () => makeEvent(desk, place, slug))
  await step('passes: in, out, and in again; the desk counts who is inside', () =>
    inAndOut(desk, place, slug, token),
  )
  await step('passes: in, out, and in again at a scanner', () => atTheGate(browser, desk, place, slug))
  const all = [browser, desk, place, slug, token] as const
  await step('transfer: the new code enters, the old one and the old link do not', () => handedOn(...all))
  await step('transfer: an offer that is taken back', () => takenBack(...all))
  await step('transfer: the organiser agrees', () => agreed(...all))
  await step('transfer: to a new phone; the old one is refused at once', () => moved(...all))
  await step('transfer: a lost phone, issued anew by staff', () => reissued(...all))
  await step('transfer: axe, light and dark', () => accessible(browser, desk, place, slug))
  await desk.context().close()
}

/** Passes and transfers alone: `npm run e2e:passes`, for a real server. */
export const main = () => walkAlone('passes', walkPasses)
