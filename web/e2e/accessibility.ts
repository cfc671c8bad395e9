// axe-core against every page, in both colour schemes; a serious or critical finding fails the run.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { open, type Place } from './place.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

type Shared = { place: Place; slug: string; number: string; ticketUrl: string; gateState: BrowserContext }
export type Visit = {
  name: string
  url: string
  ready: string
  /** Before it is ready. */
  enter?: (page: Page) => Promise<unknown>
  act?: (page: Page) => Promise<unknown>
}

export async function checkAccessibility(
  browser: Browser,
  desk: BrowserContext,
  shared: Shared,
): Promise<void> {
  const { place, slug, number, ticketUrl } = shared
  const event = `${place.url}/desk/events/${slug}`
  const visits: Visit[] = [
    { name: 'home', url: `${place.url}/`, ready: '.event-stub' },
    { name: 'event', url: `${place.url}/e/${slug}`, ready: 'form' },
    {
      name: 'event with errors',
      url: `${place.url}/e/${slug}`,
      ready: 'form',
      act: page => page.click('button[type=submit]'),
    },
    { name: 'missing event', url: `${place.url}/e/no-such-event`, ready: '.card' },
    { name: 'ticket', url: ticketUrl, ready: '.actions' },
    { name: 'receipt', url: ticketUrl, ready: '.actions', act: receipt },
    { name: 'big code', url: ticketUrl, ready: '.actions', act: page => page.click('.actions .button') },
    { name: 'tickets kept', url: `${place.url}/ticket/`, ready: 'h1' },
    { name: 'pairing', url: `${place.url}/gate/`, ready: '.pair-input' },
    { name: 'API', url: `${place.url}/docs/`, ready: '.operation' },
    { name: 'help', url: `${place.url}/help/ca`, ready: '#fingerprint' },
    { name: 'sign-in', url: `${place.url}/desk/`, ready: '#field-password' },
  ]
  const deskVisits: Visit[] = [
    { name: 'events', url: `${place.url}/desk/`, ready: '.event-grid' },
    { name: 'new event', url: `${place.url}/desk/events/+`, ready: '#field-slug' },
    { name: 'live', url: event, ready: '[data-figure]' },
    { name: 'ticket list', url: `${event}/tickets`, ready: '.tickets' },
    { name: 'ticket detail', url: `${event}/tickets/${number}`, ready: '.pairs' },
    { name: 'settings', url: `${event}/settings`, ready: '.lines' },
    {
      name: 'ticket type',
      url: `${event}/settings`,
      ready: '.lines',
      act: page => page.locator('.lines .button').first().click(),
    },
    {
      name: 'audit log',
      url: `${event}/log`,
      ready: '#field-receipt',
      act: async page => {
        await page.fill('#field-receipt', 'none')
        await page.locator('main button[type=submit]').click()
        await page.waitForSelector('[data-receipt]')
      },
    },
    { name: 'devices', url: `${event}/devices`, ready: '.lines' },
    { name: 'double entries', url: `${event}/doubles`, ready: '#content h2' },
  ]
  const gateVisits: Visit[] = [
    { name: 'scanning', url: `${place.url}/gate/`, ready: '.station' },
    { name: 'a verdict', url: `${place.url}/gate/`, ready: '.station', act: forged },
    {
      name: 'gate menu',
      url: `${place.url}/gate/`,
      ready: '.station',
      act: page => page.click('.status .icon-button'),
    },
    {
      name: 'enter a code',
      url: `${place.url}/gate/`,
      ready: '.station',
      act: page => page.click('.thumbs .thumb:last-child'),
    },
    { name: 'diagnostics', url: `${place.url}/gate/`, ready: '.station', act: diagnostics },
    {
      name: 'gate to gate',
      url: `${place.url}/gate/`,
      ready: '.station',
      act: async page => {
        await diagnostics(page)
        await page.getByRole('button', { name: 'Exchange with another scanner' }).click()
        await page.getByRole('button', { name: 'Show as codes' }).click()
      },
    },
    {
      name: 'rehearsal',
      url: `${place.url}/gate/`,
      ready: '.station',
      act: async page => {
        await page.click('.status .icon-button')
        await page.getByRole('button', { name: 'Rehearsal' }).click()
        await page.waitForSelector('.rehearsal')
      },
    },
  ]
  const findings: string[] = []
  const viewport = { width: 390, height: 844 }
  // A context of its own: axe needs the policy bypassed, which nothing else may do.
  const options = { bypassCSP: true, serviceWorkers: 'block' as const, viewport }
  const nobody = await open(browser, options)
  const organiser = await open(browser, { ...options, storageState: await desk.storageState() })
  for (const [context, list] of [
    [nobody, visits],
    [organiser, deskVisits],
  ] as const) {
    for (const visit of list) findings.push(...(await check(context, visit)))
    await context.close()
  }
  // The gate's identity lives in IndexedDB, so it is visited where it was paired, axe being evaluated from outside the policy.
  for (const visit of gateVisits)
    findings.push(...(await check(shared.gateState, { ...visit, enter: takeOver })))
  if (findings.length > 0) throw new Error(`axe:\n${findings.join('\n')}`)
}

/** Only a ticket that stands in a log has one: on the mock none does. */
async function receipt(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Check my receipt' })
  if ((await button.count()) === 0) return
  await button.click()
  await page.waitForSelector('[data-receipt="holds"]')
}

/** The tab that has the station lets it go, and gets it back when this one closes. */
async function takeOver(page: Page): Promise<void> {
  const here = page.getByRole('button', { name: 'Use it here' })
  await here.or(page.locator('.station')).first().waitFor()
  if (await here.isVisible()) await here.click()
}

async function diagnostics(page: Page): Promise<void> {
  await page.click('.status .icon-button')
  await page.getByRole('button', { name: 'Sync and diagnostics' }).click()
  await page.waitForSelector('.diagnostics .part')
}

async function forged(page: Page): Promise<void> {
  await page.keyboard.type('A1:NOT-A-TICKET')
  await page.keyboard.press('Enter')
  await page.waitForSelector('.verdict[data-tone="refuse"]')
}

/** The serious findings on one page, as sentences. */
export async function check(context: BrowserContext, visit: Visit): Promise<string[]> {
  const found: string[] = []
  const page = await context.newPage()
  // Colours are measured at rest, not in the middle of an animation.
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await page.goto(visit.url)
  await visit.enter?.(page)
  await page.waitForSelector(visit.ready)
  await visit.act?.(page)
  await page.evaluate(axe)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.waitForTimeout(200)
    const results = (await page.evaluate(() =>
      (window as unknown as { axe: { run: (options: unknown) => Promise<unknown> } }).axe.run({
        resultTypes: ['violations'],
      }),
    )) as AxeResults
    for (const violation of results.violations) {
      if (violation.impact !== 'serious' && violation.impact !== 'critical') continue
      const where = violation.nodes.map(
        node => `${node.target.join(' ')} (${node.failureSummary?.split('\n')[1]?.trim() ?? ''})`,
      )
      found.push(`${visit.name}, ${colorScheme}: ${violation.id} at ${where.slice(0, 3).join('; ')}`)
    }
  }
  await page.close()
  return found
}
