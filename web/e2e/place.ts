// Where the tests run: the real server named by the environment, or the mock when none is named.
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'
import { type MockServer, startMock } from './mock-server.ts'

export type Place = {
  url: string
  username: string
  password: string
  mock: MockServer | null
  close: () => Promise<void>
}

export async function findPlace(): Promise<Place> {
  const url = process.env.ADMIT_BASE_URL?.replace(/\/$/, '')
  if (url) {
    const { ADMIT_USER = 'demo', ADMIT_PASSWORD = 'demo-password' } = process.env
    return { url, username: ADMIT_USER, password: ADMIT_PASSWORD, mock: null, close: async () => {} }
  }
  const mock = await startMock(0, false)
  return { url: mock.url, username: 'demo', password: 'demo-password', mock, close: mock.close }
}

const argsWith = (extra: string[]) => {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // As where the camera is allowed: then a page may tell another its address on this network.
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    ...extra,
  ]
  // Playwright's ignoreHTTPSErrors breaks service workers; naming the server's key does not.
  if (process.env.ADMIT_CA_SPKI)
    args.push(`--ignore-certificate-errors-spki-list=${process.env.ADMIT_CA_SPKI}`)
  return args
}

const executablePath = process.env.ADMIT_CHROMIUM ?? '/usr/bin/chromium'

export const launch = (extra: string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath, args: argsWith(extra) })

/** A browser whose disk outlives it, so that it can be killed and come back. */
export async function launchKept(
  folder: string,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    args: argsWith([]),
    locale: 'en-GB',
    ...options,
  })
  context.setDefaultTimeout(15_000)
  context.on('page', page => watch(page))
  return context
}

/** Refusals of the content security policy and uncaught errors fail the run, wherever they happen. */
export const trouble: string[] = []

export async function open(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  context.setDefaultTimeout(15_000)
  context.on('page', page => watch(page))
  return context
}

function watch(page: Page): void {
  page.on('pageerror', error => trouble.push(`${page.url()}: ${error.message}`))
  page.on('console', message => {
    if (/Content Security Policy|TrustedScript|Trusted Type/i.test(message.text()))
      trouble.push(`${page.url()}: ${message.text()}`)
  })
}
