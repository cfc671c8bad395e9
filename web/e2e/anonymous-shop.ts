// What the tests of tickets without a name do again and again: an event that sells them, a purchase, and the code on the screen.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { readBarcodes } from 'zxing-wasm/reader'
import { open, type Place } from './place.ts'
import { made, phone } from './rotation.ts'
import { must } from './step.ts'

export type World = { browser: Browser; place: Place; slug: string; desk: Page; gate: Page }

export async function makeSale(desk: Page, place: Place, slug: string): Promise<void> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
  const at = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString()
  await made(desk, '/v1/desk/events', {
    ...{ slug, name: 'Without a name', venue: 'Kesselhaus', description: '', time_zone: 'Europe/Berlin' },
    ...{ doors_at: null, starts_at: at(-1), ends_at: at(48), registration: 'open', token_format: 'a1' },
    ...{ show_name_at_gate: false, phone: 'hidden', questions: [] },
  })
  await made(desk, `/v1/desk/events/${slug}/gates`, { name: 'Main gate' })
  await typeWithSale(desk, place, slug)
  await made(desk, `/v1/desk/events/${slug}/ticket-types`, {
    ...{ name: 'Day ticket', quota: 50, kind: 'entries', max_uses: 0 },
    sale: { price_cents: 250, currency: 'EUR', by_day: true },
  })
}

/** By the form, with a slip in it. */
async function typeWithSale(desk: Page, place: Place, slug: string): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}/settings`)
  await desk.getByRole('button', { name: 'Add a ticket type' }).click()
  await desk.fill('dialog #field-name', 'Pass')
  await desk.fill('dialog #field-quota', '50')
  await desk.getByLabel('Sold without a name').check()
  await desk.fill('dialog #field-price', 'four')
  await desk.click('dialog button[type=submit]')
  await desk.getByText('An amount, please, such as 4.50.').waitFor()
  await desk.fill('dialog #field-price', '4.50')
  await desk.click('dialog button[type=submit]')
  await desk.locator('dialog').waitFor({ state: 'detached' })
  await desk.getByText('€4.50 without a name').waitFor()
}

export const wallet = async (browser: Browser): Promise<Page> =>
  (await open(browser, { ...phone, acceptDownloads: true })).newPage()

/** From the event's public page to the moment before paying. */
export async function chooses(page: Page, place: Place, slug: string, quantity = 1): Promise<void> {
  await page.goto(`${place.url}/e/${slug}`)
  await page.getByRole('link', { name: 'Buy without giving your name' }).click()
  await page.waitForURL(`**/ticket/#buy=${slug}`)
  await page.getByLabel('Pass').check()
  await page.selectOption('#field-quantity', String(quantity))
  await page.waitForSelector('[data-key="holds"]')
}

export async function paysByTest(page: Page): Promise<void> {
  await page.getByLabel('Test payment').check()
  await page.getByRole('button', { name: /\(test\)$/ }).click()
}

/** Opens the first of the tickets that a purchase ended with. */
export async function opensTicket(page: Page): Promise<string> {
  await page.waitForSelector('[data-purchase="done"]')
  await page.locator('.stub').first().click()
  return bearerOn(page)
}

export async function buys(page: Page, place: Place, slug: string): Promise<string> {
  await chooses(page, place, slug)
  await paysByTest(page)
  return opensTicket(page)
}

/** What a camera would read off the screen. */
export async function bearerOn(page: Page): Promise<string> {
  const image = page.locator('img.code').first()
  await image.waitFor()
  await image.evaluate((element: HTMLImageElement) => element.decode())
  const [read] = await readBarcodes(new Uint8Array(await page.locator('.code-button').screenshot()))
  const text = read?.text ?? ''
  must(text.startsWith('B1:') && text.length === 443, `a ticket without a name on the screen, not ${text}`)
  return text
}

/** Every number that this wallet drew, as it could stand in a request. */
export const numbersOn = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('admit-wallet-anonymous')
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error)
    })
    const tokens = await new Promise<{ nonce: Uint8Array; signature: Uint8Array }[]>(resolve => {
      const reading = database.transaction('tokens').objectStore('tokens').getAll()
      reading.onsuccess = () => resolve(reading.result)
    })
    database.close()
    return tokens.flatMap(({ nonce, signature }) =>
      [nonce, signature].flatMap(bytes => {
        const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
        const base64 = btoa(String.fromCharCode(...bytes)).replaceAll('=', '')
        return [hex, base64, base64.replaceAll('+', '-').replaceAll('/', '_')]
      }),
    )
  })

/** Everything that a browser sends: addresses and bodies. */
export function overheard(context: BrowserContext): string[] {
  const said: string[] = []
  context.on('request', request => said.push(`${request.url()} ${request.postData() ?? ''}`))
  return said
}
