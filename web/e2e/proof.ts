// A gate asks a wallet for proof: read by the phone's camera or typed, answered by its key without a network, once.
import type { Browser, Page } from 'playwright-core'
import { readBarcodes } from 'zxing-wasm/reader'
import { check } from './accessibility.ts'
import { walkAlone } from './alone.ts'
import { open, type Place } from './place.ts'
import { codeOn, epochOn, issue, made, phone } from './rotation.ts'
import { must, step } from './step.ts'

const BOUND = 1
const STATIC = 2
const SHARED = 3

async function picture(page: Page, name: string): Promise<void> {
  const out = process.env.ADMIT_E2E_SHOTS
  if (!out) return
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: `${out}/${name}-${colorScheme}.png` })
  }
}

async function makeEvent(desk: Page, place: Place, slug: string): Promise<void> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
  const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
  await made(desk, '/v1/desk/events', {
    ...{ slug, name: 'Asked for proof', venue: 'Kesselhaus', description: '', time_zone: 'Europe/Berlin' },
    ...{ doors_at: null, starts_at: at(1), ends_at: at(2), registration: 'open', token_format: 'a1' },
    ...{ show_name_at_gate: false, phone: 'hidden', questions: [] },
  })
  await made(desk, `/v1/desk/events/${slug}/gates`, { name: 'Main gate' })
  const many = { quota: 20, kind: 'entries', max_uses: 0 }
  const types = `/v1/desk/events/${slug}/ticket-types`
  await made(desk, types, { name: 'Bound', ...many, rotation: 'device', interval_s: 15 })
  await made(desk, types, { name: 'Static', ...many, rotation: 'none' })
  await made(desk, types, { name: 'Shared', ...many, rotation: 'shared', interval_s: 15 })
}

async function withoutCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'))
  })
}

/** A scanner, paired and ready; without a camera unless it is given one. */
export async function gateOf(
  browser: Browser,
  desk: Page,
  place: Place,
  slug: string,
  prepare = withoutCamera,
): Promise<Page> {
  const gate = await (await open(browser, phone)).newPage()
  await prepare(gate)
  const asked = { device_name: 'Test phone', gate: 1 }
  const pairing = await made(desk, `/v1/desk/events/${slug}/pairings`, asked)
  await gate.goto(`${place.url}/gate/#pair=${pairing.code}`)
  await gate.getByRole('button', { name: 'Pair and start' }).click()
  await gate.waitForSelector('.ready-line[data-ready="true"]', { timeout: 30_000 })
  return gate
}

/** Like a hand scanner; the verdict on this presentation. */
export async function presents(gate: Page, code: string, tone: string): Promise<string> {
  const before = await gate.locator('.verdict').getAttribute('data-scan')
  await gate.evaluate(text => {
    for (const key of [...text, 'Enter'])
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  }, code)
  await gate.waitForFunction(
    ([old, wanted]) => {
      const panel = document.querySelector<HTMLElement>('.verdict')
      return panel?.dataset.scan !== old && panel?.dataset.tone === wanted
    },
    [before, tone],
  )
  return (await gate.locator('.verdict .word').textContent()) ?? ''
}

/** The scanner forgets what it saw just now: the same code is a new presentation, not a hand that stays. */
export async function restarted(gate: Page): Promise<void> {
  await gate.reload()
  await gate.waitForSelector('.ready-line[data-ready="true"]', { timeout: 30_000 })
}

/** With a minute, so that a slow machine tests the same. The question as it is typed, and its picture. */
export async function asks(gate: Page): Promise<{ number: string; digits: string; image: string }> {
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByRole('button', { name: 'Ask for proof' }).click()
  await gate.getByRole('button', { name: 'A minute, to type' }).click()
  const shown = gate.locator('[data-ask]')
  const number = (await shown.getAttribute('data-ask')) ?? ''
  await gate.locator('.proof img').evaluate((image: HTMLImageElement) => image.decode())
  const shot = await gate.locator('.proof img').screenshot()
  return {
    number,
    digits: await shown.innerText(),
    image: `data:image/png;base64,${shot.toString('base64')}`,
  }
}

/** A camera that sees what is held before it: `hold` in the page. The decoder and all behind it are the real ones. */
export async function withCamera(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const canvas = document.createElement('canvas')
    canvas.width = 1280
    canvas.height = 720
    const context = canvas.getContext('2d')
    let held: HTMLImageElement | null = null
    // By a timer and asked for frame by frame: a page that nothing paints draws no animation frames.
    const streams: CanvasCaptureMediaStreamTrack[] = []
    const draw = () => {
      if (!context) return
      context.fillStyle = '#30343a'
      context.fillRect(0, 0, 1280, 720)
      if (held) context.drawImage(held, 400, 120, 480, 480)
      for (const track of streams) track.requestFrame()
    }
    setInterval(draw, 60)
    Object.assign(window, {
      hold: (url: string) => {
        held = new Image()
        held.src = url
        return held.decode()
      },
    })
    navigator.mediaDevices.getUserMedia = async () => {
      const stream = canvas.captureStream(0)
      streams.push(stream.getVideoTracks()[0] as CanvasCaptureMediaStreamTrack)
      return stream
    }
  })
}

export const hold = (page: Page, image: string): Promise<void> =>
  page.evaluate(url => (window as unknown as { hold: (url: string) => Promise<void> }).hold(url), image)

async function openPanel(page: Page): Promise<void> {
  await page.bringToFront()
  await page.getByRole('button', { name: 'A gate asks for proof' }).click()
}
const closePanel = (page: Page) => page.locator('dialog').getByRole('button', { name: 'Close' }).click()

export async function answerOn(page: Page, prefix = 'R1:'): Promise<string> {
  const image = page.locator('[data-answer="shown"] img')
  await image.evaluate((element: HTMLImageElement) => element.decode())
  const [read] = await readBarcodes(new Uint8Array(await page.locator('[data-answer="shown"]').screenshot()))
  must(read?.text.startsWith(prefix) ?? false, `an answer on the screen, not ${read?.text}`)
  return read?.text ?? ''
}

async function byCamera(gate: Page, wallet: Page): Promise<string> {
  const allowed = await wallet.evaluate(() =>
    (
      document as unknown as { featurePolicy: { allowsFeature: (name: string) => boolean } }
    ).featurePolicy.allowsFeature('camera'),
  )
  must(allowed, 'the camera allowed on the page of tickets')
  await wallet.locator('[data-reads-offline]').waitFor()
  await wallet.context().setOffline(true)
  await openPanel(wallet)
  await wallet.locator('.ask-camera video:not([hidden])').waitFor()
  await picture(wallet, 'wallet-asked-camera')
  const { image } = await asks(gate)
  await hold(wallet, image)
  const answer = await answerOn(wallet)
  await picture(wallet, 'wallet-answer')
  must((await presents(gate, answer, 'admit')) === 'Admit', 'the answer admitted')
  return answer
}

/** The answer is gone by itself, and its question is not answered again though the camera still sees it. */
async function once(wallet: Page): Promise<void> {
  await wallet.getByRole('button', { name: 'Read the new question' }).click()
  await wallet.getByText('That question was answered already.').waitFor()
  must((await wallet.locator('[data-answer="shown"]').count()) === 0, 'no second answer')
  await picture(wallet, 'wallet-answered-already')
  await closePanel(wallet)
}

async function typed(gate: Page, wallet: Page): Promise<string> {
  await hold(
    wallet,
    `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg"/>')}`,
  ).catch(() => undefined)
  const { number, digits } = await asks(gate)
  await openPanel(wallet)
  await wallet.getByText('No camera? Type it').click()
  await wallet.getByRole('button', { name: 'Answer' }).click()
  await wallet.getByText('These are not 16 signs').waitFor()
  await wallet.fill('#field-ask_gate', number)
  await wallet.fill('#field-ask_digits', digits.toUpperCase())
  await picture(wallet, 'wallet-asked-typed')
  await wallet.getByRole('button', { name: 'Answer' }).click()
  const answer = await answerOn(wallet)
  await closePanel(wallet)
  must((await presents(gate, answer, 'admit')) === 'Admit', 'the typed question answered')
  return answer
}

async function refusals(gate: Page, wallet: Page, answer: string): Promise<void> {
  const refused = async (code: string, what: string) => {
    const word = await presents(gate, code, 'refuse')
    must(word === 'Not the holder', `${what}: Not the holder, not ${word}`)
  }
  await restarted(gate)
  await refused(answer, 'the same answer, unasked')
  await restarted(gate)
  await asks(gate)
  await picture(gate, 'gate-asks')
  await refused(answer, 'the same answer to another question')
  await asks(gate)
  await refused(await codeOn(wallet), 'an ordinary code to a question')
}

async function cannot(browser: Browser, desk: Page, place: Place, slug: string): Promise<void> {
  const page = await (await open(browser, phone)).newPage()
  await page.goto(await issue(desk, place, slug, STATIC))
  await page.getByText('this ticket cannot answer').waitFor()
  must(
    (await page.getByRole('button', { name: 'A gate asks for proof' }).count()) === 0,
    'no button that does nothing',
  )
  await page.context().close()
}

/** A ticket with a shared secret answers, too; only the server can check it. */
async function sharedAnswers(browser: Browser, desk: Page, place: Place, slug: string, gate: Page) {
  const wallet = await (await open(browser, phone)).newPage()
  await withCamera(wallet)
  await wallet.goto(await issue(desk, place, slug, SHARED))
  await epochOn(wallet)
  await restarted(gate)
  await typed(gate, wallet)
  must((await wallet.getByText('cannot answer').count()) === 0, 'nothing said against it')
  await wallet.context().close()
}

async function accessible(browser: Browser, desk: Page, place: Place, slug: string): Promise<void> {
  const context = await open(browser, { bypassCSP: true, serviceWorkers: 'block', viewport: phone.viewport })
  const findings = await check(context, {
    name: 'asked for proof',
    url: await issue(desk, place, slug, BOUND),
    ready: '.countdown[data-epoch]',
    act: async page => {
      await openPanel(page)
      await page.getByText('No camera? Type it').click()
    },
  })
  await context.close()
  must(findings.length === 0, `nothing for axe to find: ${findings.join('; ')}`)
}

export async function walkProof(browser: Browser, place: Place): Promise<void> {
  const slug = `proof-${Date.now() % 1_000_000}`
  const desk = await (await open(browser)).newPage()
  await makeEvent(desk, place, slug)
  const gate = await gateOf(browser, desk, place, slug)
  const wallet = await (await open(browser, phone)).newPage()
  await withCamera(wallet)
  await wallet.goto(await issue(desk, place, slug, BOUND))
  await epochOn(wallet)
  await step('proof: read by the phone’s camera, answered without a network, admitted', () =>
    byCamera(gate, wallet),
  )
  await step('proof: an answer is gone after ten seconds, and is not given again', () => once(wallet))
  const answer = await step('proof: typed by hand', () => typed(gate, wallet))
  await step('proof: the same answer again, and an ordinary code, are refused', () =>
    refusals(gate, wallet, answer),
  )
  await step('proof: a ticket with a shared secret answers, too', () =>
    sharedAnswers(browser, desk, place, slug, gate),
  )
  await step('proof: other tickets say that they cannot answer', () => cannot(browser, desk, place, slug))
  await step('proof: axe, light and dark', () => accessible(browser, desk, place, slug))
  for (const page of [gate, wallet, desk]) await page.context().close()
}

/** This part alone: `npm run e2e:proof`, for a real server. */
export const main = () => walkAlone('proof', walkProof)
