// Takes a picture of every page, phone and desktop, light and dark, for people to look at. Usage: npm run shots [name-part]
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { type MockServer, startMock } from './mock-server.ts'

const out = process.env.ADMIT_SHOTS ?? join(tmpdir(), 'admit-shots')
const sizes = { phone: { width: 390, height: 844 }, desk: { width: 1366, height: 850 } }

type Shot = {
  name: string
  path: string
  go?: (page: Page, mock: MockServer) => Promise<void>
  full?: boolean
}

const base = '/desk/events/night-of-brass'

function shots(mock: MockServer, round: number): Shot[] {
  const ticket = [...mock.state.tickets.values()][0]
  const used = ticket?.code ?? ''
  const fresh = [...mock.state.tickets.values()][200 + round]
  const crew = [...mock.state.tickets.values()].find(
    candidate => candidate.ticket_type.number === 2 && candidate.uses === 0,
  )
  const scan = async (page: Page, code: string) => {
    await page.waitForSelector('.station')
    await page.waitForTimeout(600)
    await page.keyboard.type(code, { delay: 1 })
    await page.keyboard.press('Enter')
    await page.waitForTimeout(900)
  }
  return [
    { name: 'register-home', path: '/' },
    { name: 'register-event', path: '/e/night-of-brass', full: true },
    {
      name: 'register-errors',
      path: '/e/night-of-brass',
      full: true,
      go: async page => {
        await page.click('button[type=submit]')
        await page.waitForTimeout(200)
      },
    },
    { name: 'register-missing', path: '/e/nothing' },
    { name: 'wallet-ticket', path: `/ticket/#${fresh?.access}`, full: true },
    { name: 'wallet-big', path: `/ticket/#${fresh?.access}`, go: page => page.click('.actions .button') },
    { name: 'wallet-list', path: '/ticket/' },
    { name: 'gate-pair', path: '/gate/?pair' },
    { name: 'gate-ready', path: '/gate/', go: page => page.waitForTimeout(800) },
    { name: 'gate-admit', path: '/gate/', go: page => scan(page, fresh?.code ?? '') },
    { name: 'gate-used', path: '/gate/', go: page => scan(page, used) },
    { name: 'gate-wrong', path: '/gate/', go: page => scan(page, crew?.code ?? '') },
    { name: 'gate-forged', path: '/gate/', go: page => scan(page, `A1:FORGED${Date.now()}`) },
    {
      name: 'gate-offline',
      path: '/gate/',
      go: async (page, server) => {
        await page.waitForSelector('.station')
        server.state.dead = true
        await scan(page, 'A1:WHATEVER')
        server.state.dead = false
      },
    },
    { name: 'gate-menu', path: '/gate/', go: page => page.click('.status .icon-button') },
    { name: 'gate-entry', path: '/gate/', go: page => page.click('.thumbs .thumb:last-child') },
    { name: 'desk-signin', path: '/desk/?signed-out' },
    { name: 'desk-events', path: '/desk/' },
    { name: 'desk-new', path: '/desk/events/+', full: true },
    { name: 'desk-live', path: base, full: true, go: page => page.waitForTimeout(700) },
    {
      name: 'desk-live-empty',
      path: '/desk/events/winter-symposium',
      full: true,
      go: page => page.waitForTimeout(400),
    },
    { name: 'desk-tickets', path: `${base}/tickets` },
    { name: 'desk-ticket', path: `${base}/tickets/${ticket?.number}`, full: true },
    {
      name: 'desk-erase',
      path: `${base}/tickets/${ticket?.number}`,
      go: page => page.click('.danger-row .button:last-child'),
    },
    { name: 'desk-settings', path: `${base}/settings`, full: true },
    { name: 'desk-type', path: `${base}/settings`, go: page => page.click('.lines .button') },
    {
      name: 'desk-type-pass',
      path: `${base}/settings`,
      go: page => page.click('.lines li:nth-child(2) .button'),
    },
    { name: 'desk-devices', path: `${base}/devices` },
    {
      name: 'desk-pairing',
      path: `${base}/devices`,
      go: async page => {
        await page.click('main .row .button')
        await page.fill('#field-device_name', 'Anna’s phone')
        await page.click('dialog button[type=submit]')
        await page.waitForTimeout(500)
      },
    },
    { name: 'desk-log', path: `${base}/log` },
    { name: 'docs', path: '/docs/' },
    { name: 'sandbox-closed', path: '/sandbox/' },
    { name: 'help', path: '/help/ca', full: true },
  ]
}

async function signIn(context: BrowserContext, mock: MockServer): Promise<void> {
  const answer = await context.request.post(`${mock.url}/v1/session`, {
    data: { username: 'demo', password: 'demo-password' },
  })
  if (!answer.ok()) throw new Error('no sign-in')
}

async function pairGate(context: BrowserContext, mock: MockServer): Promise<void> {
  const code = `TEST${Math.random().toString(36).slice(2).toUpperCase().padEnd(12, 'A').slice(0, 12)}`
  mock.state.pairings.set(code, {
    code,
    event: 'night-of-brass',
    device_name: 'Anna’s phone',
    gate: 1,
    expires: Date.now() + 60_000,
    used: false,
  })
  const page = await context.newPage()
  await page.goto(`${mock.url}/gate/#pair=${code}`)
  await page.click('button[type=submit]')
  await page.waitForSelector('.station')
  await page.close()
}

export async function main(): Promise<void> {
  const wanted = process.argv[2] ?? ''
  await mkdir(out, { recursive: true })
  const mock = await startMock()
  const args = ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
  let round = 0
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const options = { viewport, colorScheme, serviceWorkers: 'block' as const, hasTouch: size === 'phone' }
      const signedIn = await browser.newContext(options)
      const nobody = await browser.newContext(options)
      await signIn(signedIn, mock)
      if (wanted === '' || wanted.includes('gate')) await pairGate(signedIn, mock)
      for (const shot of shots(mock, round)) {
        if (!shot.name.includes(wanted)) continue
        const anonymous = shot.path.endsWith('?signed-out') || shot.path.endsWith('?pair')
        const page = await (anonymous ? nobody : signedIn).newPage()
        page.on('console', message => message.type() === 'error' && console.log(shot.name, message.text()))
        page.on('pageerror', error => console.log(shot.name, 'page error', error.message))
        await page.goto(mock.url + shot.path.replace(/\?(pair|signed-out)$/, ''))
        await page.waitForTimeout(450)
        await shot.go?.(page, mock)
        await page.waitForTimeout(200)
        await page.screenshot({
          path: `${out}/${shot.name}-${size}-${colorScheme}.png`,
          fullPage: shot.full ?? false,
        })
        await page.close()
      }
      round += 1
      await signedIn.close()
      await nobody.close()
    }
  }
  await browser.close()
  await mock.close()
}
