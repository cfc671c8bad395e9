// The whole way in a real browser: an event is made, a person registers, a camera reads the PDF, the desk sees it live.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { checkAccessibility } from './accessibility.ts'
import { walkAnonymous } from './anonymous.ts'
import { filmOf } from './camera-film.ts'
import type { MockServer } from './mock-server.ts'
import { walkOffline } from './offline.ts'
import { walkPasses } from './passes.ts'
import { findPlace, launch, open, type Place, trouble } from './place.ts'
import { walkProof } from './proof.ts'
import { receiptAtDesk, receiptOffline, receiptOfTicket } from './receipts.ts'
import { walkRotation } from './rotation.ts'
import { walkSandbox } from './sandbox.ts'
import { kept, must, step } from './step.ts'

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true }

const figure = (page: Page, name: string, value: string) =>
  page.waitForFunction(
    ([key, wanted]) => document.querySelector(`[data-figure="${key}"]`)?.textContent === wanted,
    [name, value],
  )

const tone = (page: Page, name: string, timeout = 30_000) =>
  page.waitForSelector(`.verdict[data-tone="${name}"]`, { timeout })

const scanOf = (page: Page) => page.locator('.verdict').getAttribute('data-scan')

/** Like a hand scanner: fast keys and Enter. Sent from inside, since a loaded machine would type them too slowly. */
async function wedge(page: Page, code: string): Promise<void> {
  await page.locator('.station').waitFor()
  await page.evaluate(text => {
    for (const key of [...text, 'Enter']) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
    }
  }, code)
}

// --- the steps ----------------------------------------------------------------------------------------------------

async function makeEvent(desk: Page, place: Place): Promise<string> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', 'not the password')
  await desk.click('button[type=submit]')
  await desk.getByText('User name or password is wrong.').waitFor()
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).click()

  const name = `Nacht der Brücken ${Date.now() % 1_000_000}`
  await desk.fill('#field-name', name)
  const slug = await desk.inputValue('#field-slug')
  must(/^nacht-der-brucken-\d+$/.test(slug), `a slug from the name, not ${slug}`)
  await desk.click('main button[type=submit]')
  await desk.getByText('Please check the marked fields.').waitFor()
  await desk.fill('#field-venue', 'Kesselhaus')
  await desk.fill('#field-time_zone', 'Europe/Berlin')
  const today = (hour: string) => `${new Date().toISOString().slice(0, 10)}T${hour}`
  await desk.fill('#field-doors_at', today('00:00'))
  await desk.fill('#field-starts_at', today('00:30'))
  await desk.fill(
    '#field-ends_at',
    `${new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)}T23:00`,
  )
  await desk.check('input[name=registration][value=open]')
  await desk.check('input[name=show_name_at_gate]')
  await desk.click('main button[type=submit]')

  await desk.getByRole('button', { name: 'Add a gate' }).click()
  await desk.fill('dialog #field-name', 'Main gate')
  await desk.click('dialog button[type=submit]')
  await desk.locator('dialog').waitFor({ state: 'detached' })
  await desk.getByRole('button', { name: 'Add a ticket type' }).click()
  await desk.fill('dialog #field-name', 'Standard')
  await desk.fill('dialog #field-quota', 'many')
  await desk.click('dialog button[type=submit]')
  await desk.getByText('Please write a whole number').waitFor()
  await desk.fill('dialog #field-quota', '50')
  await desk.click('dialog button[type=submit]')
  await desk.locator('dialog').waitFor({ state: 'detached' })
  return slug
}

async function register(attendee: Page, place: Place, slug: string, name: string): Promise<string> {
  await attendee.goto(`${place.url}/`)
  await attendee.locator(`a[href="/e/${slug}"]`).click()
  await attendee.click('button[type=submit]')
  await attendee.getByText('Please fill this in.').first().waitFor()
  await attendee.fill('#field-name', name)
  await attendee.fill('#field-email', `person${Date.now()}@example.org`)
  let sent = 0
  attendee.on('request', request => {
    if (request.method() === 'POST' && request.url().endsWith('/registrations')) sent += 1
  })
  await attendee.dblclick('button[type=submit]')
  await attendee.waitForURL(/\/ticket\/#adm1_ticket_/)
  await attendee.getByRole('button', { name: 'Download PDF' }).waitFor()
  must(sent === 1, `one registration after a double click, not ${sent}`)
  must((await attendee.locator('main').textContent())?.includes(name), 'the name on the ticket')
  return (await attendee.locator('.ticket-number').first().textContent()) ?? ''
}

async function downloadPdf(attendee: Page, folder: string): Promise<string> {
  const [download] = await Promise.all([
    attendee.waitForEvent('download'),
    attendee.getByRole('button', { name: 'Download PDF' }).click(),
  ])
  const path = join(folder, 'ticket.pdf')
  await download.saveAs(path)
  const kind = execFileSync('head', ['-c', '5', path]).toString()
  must(kind === '%PDF-', 'a PDF')
  return path
}

/** Reads the code's text off the ticket's own API, as the holder's page does. */
async function codeOf(attendee: Page): Promise<string> {
  return attendee.evaluate(async () => {
    const headers = { authorization: `Bearer ${location.hash.slice(1)}` }
    const ticket = (await (await fetch('/v1/ticket', { headers })).json()) as { code: string }
    return ticket.code
  })
}

async function offlineWallet(attendee: Page): Promise<void> {
  await attendee.evaluate(() => navigator.serviceWorker.ready)
  await kept(attendee)
  await attendee.context().setOffline(true)
  await attendee.reload()
  await attendee.getByText('This is the copy from').waitFor()
  const drawn = await attendee.evaluate(async () => {
    const image = document.querySelector<HTMLImageElement>('img.code')
    await image?.decode()
    return image?.naturalWidth ?? 0
  })
  must(drawn > 0, 'the QR drawn without a network')
  await attendee.context().setOffline(false)
}

async function pair(desk: Page, gate: Page, place: Place, slug: string): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}/devices`)
  await desk.getByRole('button', { name: 'Pair a device' }).click()
  await desk.fill('#field-device_name', 'Test phone')
  await desk.click('dialog button[type=submit]')
  const url = await desk.locator('[data-pairing-url]').getAttribute('data-pairing-url')
  if (!url?.includes('/gate/#pair=')) throw new Error('no pairing link')
  await gate.goto(`${place.url}/gate/${url.slice(url.indexOf('#'))}`)
  await gate.getByRole('button', { name: 'Pair and start' }).waitFor()
  must(!gate.url().includes('pair='), 'the code gone from the address')
  await gate.getByRole('button', { name: 'Pair and start' }).click()
  await gate.locator('.station').waitFor()
  await desk.getByText('is paired and ready').waitFor()
  await desk.getByRole('button', { name: 'Close' }).click()
}

const scanTime = (gate: Page) =>
  gate.evaluate(() => Math.round(performance.getEntriesByName('admit-scan')[0]?.duration ?? -1))

async function cameraReads(gate: Page, live: Page, name: string): Promise<void> {
  await tone(gate, 'admit', 60_000)
  must((await gate.locator('.verdict .word').textContent()) === 'Admit', 'the word ADMIT')
  must((await gate.locator('.verdict').textContent())?.includes(name), 'the name, since the event allows it')
  console.log(`      camera frame to painted ADMIT: ${await scanTime(gate)} ms`)
  await figure(live, 'admitted', '1')
  await gate.locator('.soft-notice', { hasText: 'just scanned' }).waitFor()
  await tone(gate, 'refuse', 60_000)
  must(
    (await gate.locator('.verdict .word').textContent()) === 'Already used',
    'ALREADY USED the second time',
  )
  console.log(`      camera frame to painted ALREADY USED: ${await scanTime(gate)} ms`)
  await live.locator('[data-feed="refusals"] li', { hasText: 'Already used' }).first().waitFor()
  await live.locator('[data-feed="scans"] li[data-verdict="admit"]').first().waitFor()
}

async function undo(gate: Page, live: Page, code: string): Promise<void> {
  await gate.waitForTimeout(3_200)
  await wedge(gate, code)
  await tone(gate, 'admit')
  await figure(live, 'admitted', '2')
  await gate.getByRole('button', { name: 'Undo' }).click()
  await tone(gate, 'undo')
  await figure(live, 'admitted', '1')
  // Undone means usable again.
  await wedge(gate, code)
  await tone(gate, 'admit')
  await figure(live, 'admitted', '2')
}

/** The number under the QR, typed by hand: here of the ticket that the camera read before. */
async function typedNumber(gate: Page, number: string): Promise<void> {
  await gate.getByRole('button', { name: 'Enter code' }).click()
  await gate.fill('#field-manual', number.toLowerCase())
  await gate.getByRole('button', { name: 'Check' }).click()
  await tone(gate, 'refuse')
  must((await gate.locator('.verdict').textContent())?.includes(number), 'the ticket with that number')
  must(
    (await gate.locator('.verdict .word').textContent()) === 'Already used',
    'ALREADY USED for the number, too',
  )
}

async function hostileCodes(gate: Page): Promise<void> {
  const address = gate.url()
  const codes = [
    'javascript:alert(1)',
    '<img src=x onerror=alert(1)>',
    'https://example.org/',
    `A1:${'Z'.repeat(700)}`,
  ]
  for (const code of codes) {
    const before = await scanOf(gate)
    await wedge(gate, code)
    await gate.waitForFunction(
      old => document.querySelector('.verdict')?.getAttribute('data-scan') !== old,
      before,
    )
    await tone(gate, 'refuse')
  }
  must(gate.url() === address, 'no code to lead anywhere')
  must((await gate.locator('.verdict img').count()) === 0, 'no code to become HTML')
}

const pending = (gate: Page, count: number) => gate.waitForSelector(`.ready-line[data-pending="${count}"]`)

/** The device decides by itself, and tells it as soon as the network is back. */
async function outage(gate: Page, code: string): Promise<void> {
  await pending(gate, 0)
  await gate.context().setOffline(true)
  await gate.locator('.link.offline').waitFor()
  await wedge(gate, code)
  await tone(gate, 'admit')
  await pending(gate, 1)
  await gate.context().setOffline(false)
  await pending(gate, 0)
}

/** The feed's connection breaks while somebody enters; it resumes by itself and misses nothing. Only the mock can break it. */
async function liveHeals(live: Page, mock: MockServer, meanwhile: () => Promise<void>): Promise<void> {
  for (const stream of mock.state.streams.keys()) stream.destroy()
  await live.getByText('Reconnecting').waitFor()
  await meanwhile()
  await figure(live, 'admitted', '3')
  await live.locator('.pulse.live').waitFor()
}

/** The rules run on the device: what is forged is refused with no network at all, and what may be good is not admitted. */
async function rulesOnDevice(gate: Page): Promise<void> {
  await gate.context().setOffline(true)
  await wedge(gate, `A1:${'FORGED'.repeat(20)}`)
  await tone(gate, 'refuse', 3_000)
  must(
    (await gate.locator('.verdict .word').textContent()) === 'Not a valid ticket',
    'a forged code named as one',
  )
  await gate.context().setOffline(false)
  await gate.locator('.link.online').waitFor()
}

async function outageAndRestart(gate: Page, code: string, live: Page): Promise<void> {
  await gate.waitForTimeout(3_200)
  await gate.evaluate(() => navigator.serviceWorker.ready)
  await kept(gate)
  await gate.context().setOffline(true)
  await gate.locator('.link.offline').waitFor()
  await wedge(gate, code)
  await tone(gate, 'refuse')
  await gate.reload()
  await pending(gate, 1)
  await gate.context().setOffline(false)
  await live.locator('[data-feed="scans"] li').first().waitFor()
  await pending(gate, 0)
}

async function removal(desk: Page, gate: Page, place: Place, slug: string): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}/devices`)
  await desk.getByRole('button', { name: 'Remove: Test phone' }).click()
  await desk.locator('dialog .button.danger').click()
  await desk.getByText('Removed devices').waitFor()
  await gate.getByText('This device was removed').waitFor({ timeout: 40_000 })
  const left = await gate.evaluate(async () => (await indexedDB.databases()).map(database => database.name))
  must(!left.includes('admit-gate'), 'nothing of the gate left on the device')
}

async function deskWork(desk: Page, place: Place, slug: string, number: string): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}/tickets`)
  await desk.fill('#field-query', number.toLowerCase().replaceAll('-', ' '))
  await desk.keyboard.press('Enter')
  await desk.getByRole('link', { name: number }).click()
  await desk.getByRole('button', { name: 'Cancel the ticket' }).click()
  await desk.locator('dialog .button.danger').click()
  await desk.getByText('Cancelled. Gates refuse it now.').waitFor()
  await desk.getByRole('button', { name: 'Give back' }).click()
  await desk.getByText('Given back.').waitFor()
  await desk.getByRole('button', { name: 'Erase the person' }).click()
  await desk.locator('dialog .button.danger').click()
  await desk.getByText('Nothing about the person is left.').waitFor()
  await desk.locator('dd', { hasText: 'erased' }).waitFor()
}

// --- the run ------------------------------------------------------------------------------------------------------

async function runAll(place: Place, folder: string, browsers: Browser[]): Promise<void> {
  const browser = await launch()
  browsers.push(browser)
  const deskContext = await open(browser, { viewport: { width: 1366, height: 850 } })
  const desk = await deskContext.newPage()
  const attendeeContext = await open(browser, phone)
  const attendee = await attendeeContext.newPage()
  const name = 'Σοφία Παπαδοπούλου'

  const slug = await step('sign in, make an event, a gate and a ticket type', () => makeEvent(desk, place))
  const number = await step('register on a phone, double click included', () =>
    register(attendee, place, slug, name),
  )
  const pdf = await step('download the PDF', () => downloadPdf(attendee, folder))
  if (!place.mock) {
    const receipt = await step('the phone checks its receipt, and notices another key', () =>
      receiptOfTicket(attendee, slug, folder),
    )
    await step('the receipt holds without a network, too', () => receiptOffline(attendee))
    const access = new URL(attendee.url()).hash.slice(1)
    await step('the desk checks the receipt, and refuses it with any letter changed', () =>
      receiptAtDesk(desk, place, slug, receipt, access),
    )
  }
  await step('the ticket opens without a network', () => offlineWallet(attendee))
  const second = await step('a second and a third ticket', async () => {
    const codes: string[] = []
    for (const person of ['Amina Diallo', '王小明']) {
      const page = await (await open(browser, phone)).newPage()
      await register(page, place, slug, person)
      codes.push(await codeOf(page))
    }
    return codes
  })

  const film = await step('hold the PDF before the camera', async () => filmOf(pdf, folder))
  const gateBrowser = await launch([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${film}`,
  ])
  browsers.push(gateBrowser)
  const gateContext = await open(gateBrowser, { ...phone, permissions: ['camera'] })
  const gate = await gateContext.newPage()
  const live = await deskContext.newPage()
  await live.goto(`${place.url}/desk/events/${slug}`)
  await figure(live, 'admitted', '0')

  await step('pair the gate by the desk’s link', () => pair(desk, gate, place, slug))
  await step('the camera admits once, then says ALREADY USED; the desk sees both live', () =>
    cameraReads(gate, live, name),
  )
  // From here on by hand scanner: the film would go on holding the ticket up.
  await gate.close()
  const hand = await openWithoutCamera(gateContext, place)
  await step('undo, and admit again', () => undo(hand, live, second[0] ?? ''))
  await step('the ticket number, typed by hand', () => typedNumber(hand, number))
  await step('hostile codes are refused and do nothing', () => hostileCodes(hand))
  await step('a forged code is refused without a network', () => rulesOnDevice(hand))
  const during = () => outage(hand, second[1] ?? '')
  const { mock } = place
  await step('an outage: the device admits, and tells it afterwards', () =>
    mock ? liveHeals(live, mock, during) : during(),
  )
  await step('the desk missed none of it', () => figure(live, 'admitted', '3'))
  await step('an outage with a restart: nothing is forgotten', () =>
    outageAndRestart(hand, second[1] ?? '', live),
  )
  await step('cancel, give back, erase', () => deskWork(desk, place, slug, number))
  const shared = { place, slug, number, ticketUrl: attendee.url(), gateState: gateContext }
  await step('axe: no serious finding on any page, light and dark', () =>
    checkAccessibility(browser, deskContext, shared),
  )
  await walkOffline(browser, place)
  await walkSandbox(browser, place)
  if (!place.mock) await walkRotation(browser, place)
  if (!place.mock) await walkProof(browser, place)
  if (!place.mock) await walkPasses(browser, place)
  if (!place.mock) await walkAnonymous(browser, place)
  await step('remove the device: it forgets everything', () => removal(desk, hand, place, slug))
}

async function openWithoutCamera(context: BrowserContext, place: Place): Promise<Page> {
  const page = await context.newPage()
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'))
  })
  await page.goto(`${place.url}/gate/`)
  await page.getByText('No camera found.').waitFor()
  return page
}

export async function main(): Promise<void> {
  const place = await findPlace()
  const folder = await mkdtemp(join(tmpdir(), 'admit-e2e-'))
  const browsers: Browser[] = []
  console.log(
    `e2e against ${place.url}${place.mock ? ' (the mock; set ADMIT_BASE_URL for a real server)' : ''}`,
  )
  try {
    await runAll(place, folder, browsers)
    must(trouble.length === 0, `no uncaught error and no CSP refusal, but: ${trouble.join(' | ')}`)
    console.log('all ok')
  } catch (error) {
    console.error(error)
    if (trouble.length > 0) console.error(trouble.join('\n'))
    for (const [index, page] of browsers
      .flatMap(browser => browser.contexts().flatMap(context => context.pages()))
      .entries()) {
      await page
        .screenshot({ path: join(process.env.ADMIT_E2E_OUT ?? folder, `failed-${index}.png`) })
        .catch(() => undefined)
    }
    process.exitCode = 1
  } finally {
    await Promise.all(browsers.map(browser => browser.close()))
    await place.close()
    if (process.exitCode !== 1) await rm(folder, { recursive: true })
  }
}
