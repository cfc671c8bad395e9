// Takes the README's pictures: the sample event on a real server, a crowd through the API, and one ticket before the camera.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { filmOf } from './camera-film.ts'
import { findPlace, launch, open, type Place } from './place.ts'

const CROWD = 60
const images = join(import.meta.dirname, '../../docs/images')

async function signIn(desk: Page, place: Place): Promise<void> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
}

/** Registers a crowd and lets most of them in at both gates; now and then somebody tries twice. */
async function crowd(page: Page, token: string): Promise<void> {
  const ids = Array.from({ length: CROWD * 2 }, () => randomBytes(16).toString('base64url'))
  await page.evaluate(
    async ({ ids, token, size }) => {
      const post = (path: string, body: unknown, authorization = '') =>
        fetch(path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
          body: JSON.stringify(body),
        })
      for (let n = 0; n < size; n++) {
        const person = { ticket_type: 1, name: `Guest ${n + 1}`, email: `guest${n + 1}@example.org` }
        const answer = await post('/v1/events/sample/registrations', person)
        const { ticket } = (await answer.json()) as { ticket: { code: string } }
        const scan = (at: number, code: string) =>
          post('/v1/gate/admissions', { code, gate: ((n % 3) % 2) + 1, scan_id: ids[at] }, `Bearer ${token}`)
        if (n % 5 !== 4) await scan(2 * n, ticket.code)
        if (n % 8 === 3) await scan(2 * n + 1, n % 16 === 3 ? ticket.code : 'not a ticket')
      }
    },
    { ids, token, size: CROWD },
  )
}

async function pairing(desk: Page, name: string): Promise<string> {
  return desk.evaluate(async device_name => {
    const answer = await fetch('/v1/desk/events/sample/pairings', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ device_name }),
    })
    return ((await answer.json()) as { code: string }).code
  }, name)
}

const place = await findPlace()
const folder = await mkdtemp(join(tmpdir(), 'admit-pictures-'))
const first = await launch()
const desk = await (await open(first, { viewport: { width: 1366, height: 850 } })).newPage()
await signIn(desk, place)
const code = await pairing(desk, 'Box office')
const token = await desk.evaluate(async code => {
  const answer = await fetch('/v1/pair', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, platform: 'pictures' }),
  })
  return ((await answer.json()) as { token: string }).token
}, code)
await crowd(desk, token)

const attendee = await (await open(first)).newPage()
await attendee.goto(`${place.url}/e/sample`)
await attendee.getByText('Standard').first().click()
await attendee.fill('#field-name', 'Ada Lovelace')
await attendee.fill('#field-email', 'ada@example.org')
await attendee.click('button[type=submit]')
await attendee.waitForURL(/\/ticket\/#adm1_ticket_/)
const [download] = await Promise.all([
  attendee.waitForEvent('download'),
  attendee.getByRole('button', { name: 'Download PDF' }).click(),
])
const pdf = join(folder, 'ticket.pdf')
await download.saveAs(pdf)

const film = filmOf(pdf, folder)
const second = await launch([
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  `--use-file-for-fake-video-capture=${film}`,
])
const gate = await (
  await open(second, { viewport: { width: 390, height: 844 }, hasTouch: true, colorScheme: 'dark' })
).newPage()
await gate.goto(`${place.url}/gate/#pair=${await pairing(desk, "Ada's phone")}`)
await gate.getByRole('button', { name: 'Pair and start' }).click()
await gate.getByRole('button', { name: 'Main Gate' }).click()
await gate.waitForSelector('.verdict[data-tone="admit"]', { timeout: 60_000 })
await gate.screenshot({ path: join(images, 'gate-admit.png') })
await gate.waitForSelector('.verdict[data-tone="refuse"]', { timeout: 60_000 })
await gate.screenshot({ path: join(images, 'gate.png') })
await desk.goto(`${place.url}/desk/events/sample`)
await desk.locator('[data-feed="refusals"] li').first().waitFor()
await desk.locator('canvas').first().waitFor()
await desk.screenshot({ path: join(images, 'desk.png') })
await Promise.all([first.close(), second.close()])
await rm(folder, { recursive: true })
await place.close()
