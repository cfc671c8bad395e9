// Tickets without a name against a real server: bought three ways, interrupted, admitted once, exchanged, carried offline, backed up, printed.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { readBarcodes } from 'zxing-wasm/reader'
import { walkAlone } from './alone.ts'
import { accessible } from './anonymous-axe.ts'
import { closedTab, lostAnswer, wrongSignature } from './anonymous-loss.ts'
import { byCamera, ofOthers } from './anonymous-others.ts'
import {
  bearerOn,
  buys,
  chooses,
  makeSale,
  numbersOn,
  opensTicket,
  overheard,
  paysByTest,
  type World,
  wallet,
} from './anonymous-shop.ts'
import { byVoucher } from './anonymous-voucher.ts'
import { open, type Place } from './place.ts'
import { answerOn, asks, gateOf, presents, restarted } from './proof.ts'
import { api, codeOn, epochOn } from './rotation.ts'
import { kept, must, step } from './step.ts'

const PASSPHRASE = 'a long enough passphrase'

/** The manual flow of the specification that asked for these tickets, from the public key to the second scan. */
async function sevenSteps({ browser, place, slug, desk, gate }: World): Promise<void> {
  const page = await wallet(browser)
  const said = overheard(page.context())
  const { keys } = (await api(desk, 'GET', '/keys/public')).body as { keys: { event: string }[] }
  must(
    keys.some(key => key.event === slug),
    'the key among the public ones',
  )
  const code = await buys(page, place, slug)
  const numbers = await numbersOn(page)
  must(numbers.length > 0 && said.length > 0, 'something to look for, and somewhere')
  must(!numbers.some(number => said.some(text => text.includes(number))), 'the number told to nobody')
  await page.getByText(/^Valid, expires in/).waitFor()

  await presents(gate, code, 'admit')
  const shown = await gate.locator('.verdict').innerText()
  must(/Pass · expires in \d+ (min|h)/.test(shown), `type and end, not ${shown}`)
  await restarted(gate)
  const word = await presents(gate, code, 'refuse')
  must(word === 'Already used', `the second scan refused as used, not as ${word}`)
  await restarted(gate)
  await page.context().close()
}

async function byCard({ browser, place, slug, gate }: World): Promise<void> {
  if (!process.env.ADMIT_STRIPE_STAND_IN) {
    console.log('skip  the server was started without a stand-in for Stripe (ADMIT_STRIPE_STAND_IN)')
    return
  }
  const page = await wallet(browser)
  await chooses(page, place, slug)
  await page.getByLabel('Card').check()
  await page.getByRole('button', { name: /by card$/ }).click()
  await page.waitForURL(url => url.origin !== new URL(place.url).origin)
  // Gone away without paying, and back: the purchase waits.
  const payPage = page.url()
  await page.goto(`${place.url}/ticket/#unpaid`)
  await page.getByText('You did not pay. Nothing was charged.').waitFor()
  await page.goto(payPage)
  await page
    .getByRole('button', { name: /pay/i })
    .or(page.getByRole('link', { name: /pay/i }))
    .first()
    .click()
  await page.waitForURL('**/ticket/**')
  const bearer = await opensTicket(page)
  must((await presents(gate, bearer, 'admit')) === 'Admit', 'the ticket that a card paid for admitted')
  await page.context().close()
}

/** The gate asks, and only the wallet itself can answer; typed, for the camera is tried with the other tickets. */
async function answersGate({ browser, desk, place, slug }: World): Promise<void> {
  const page = await wallet(browser)
  await page.goto(`${place.url}/ticket/#buy=${slug}`)
  await chooses(page, place, slug)
  await paysByTest(page)
  const copy = await opensTicket(page)
  const gate = await gateOf(browser, desk, place, slug)
  await asks(gate)
  const refused = await presents(gate, copy, 'refuse')
  must(refused === 'Not the holder', `a picture of the code: Not the holder, not ${refused}`)
  await restarted(gate)
  const { number, digits } = await asks(gate)
  await page.context().setOffline(true)
  await page.getByRole('button', { name: 'A gate asks for proof' }).click()
  await page.getByText('No camera? Type it').click()
  await page.fill('#field-ask_gate', number)
  await page.fill('#field-ask_digits', digits)
  await page.getByRole('button', { name: 'Answer' }).click()
  const answer = await answerOn(page, 'B1:')
  must((await presents(gate, answer, 'admit')) === 'Admit', 'the answer admitted')
  await page.context().close()
  await gate.context().close()
}

/** Of a day that nobody bought yet there is no key: it is made with the order, and checked before paying. */
async function firstOfDay({ browser, place, slug, gate }: World): Promise<void> {
  const page = await wallet(browser)
  await page.goto(`${place.url}/ticket/#buy=${slug}`)
  await page.getByLabel('Day ticket').check()
  await page.getByRole('button', { name: /^Pay|^Buy/ }).click()
  await page.getByText('Please choose a day.').waitFor()
  await page.selectOption('#field-day', { index: 1 })
  await page.waitForSelector('[data-key="first"]')
  await paysByTest(page)
  const code = await opensTicket(page)
  must((await presents(gate, code, 'admit')) === 'Admit', 'today’s ticket admitted')
  await restarted(gate)
  must((await presents(gate, code, 'admit')) === 'Admit', 'and again, as often as its kind allows')
  await page.context().close()
}

/** The gate's own core judges these codes, too, and says no more of them than the server does. */
async function gateAlone({ browser, place, slug, gate }: World): Promise<void> {
  const page = await wallet(browser)
  const code = await buys(page, place, slug)
  const number = await page.locator('.ticket-number').innerText()
  await gate.context().setOffline(true)
  must((await presents(gate, code, 'admit')) === 'Admit', 'admitted without a network')
  const shown = await gate.locator('.verdict').innerText()
  must(shown.includes('Pass') && !shown.includes(number), `what it is and no number, not ${shown}`)
  await gate.context().setOffline(false)
  await restarted(gate)
  await presents(gate, code, 'refuse')
  await restarted(gate)
  await page.context().close()
}

/** For a ticket that only this phone can show: without binding again, and the old code is void. */
async function exchanged({ browser, place, slug, gate }: World): Promise<void> {
  const page = await wallet(browser)
  const binds: string[] = []
  page.on('request', request => request.url().endsWith('/bind') && binds.push(request.url()))
  const old = await buys(page, place, slug)
  await page.getByRole('button', { name: 'Turn into a ticket that only this phone can show' }).click()
  await page.getByRole('button', { name: 'Exchange' }).click()
  await page.waitForURL(/#adm1_ticket_/)
  await epochOn(page)
  must(binds.length === 0, 'no second binding')
  must((await presents(gate, await codeOn(page), 'admit')) === 'Admit', 'the changing code admitted')
  await restarted(gate)
  await presents(gate, old, 'refuse')
  await page.context().close()
}

/** In flight mode the list and the ticket open, with their code. */
async function flight({ browser, place, slug }: World): Promise<void> {
  const page = await wallet(browser)
  const code = await buys(page, place, slug)
  await kept(page)
  await page.context().setOffline(true)
  await page.goto(`${place.url}/ticket/`)
  await page.locator('.stub').first().click()
  must((await bearerOn(page)) === code, 'the same code without a network')
  await page.reload()
  must((await bearerOn(page)) === code, 'and after a restart')
  await page.context().close()
}

async function backedUp({ browser, place, slug, gate }: World): Promise<void> {
  const page = await wallet(browser)
  const code = await buys(page, place, slug)
  await page.getByRole('link', { name: 'Make a backup' }).click()
  await page.fill('#field-passphrase', 'too short')
  await page.getByRole('button', { name: 'Save the backup' }).click()
  await page.getByText('At least 12 characters, please.').waitFor()
  await page.fill('#field-passphrase', PASSPHRASE)
  await page.fill('#field-passphrase_again', PASSPHRASE)
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save the backup' }).click(),
  ])
  const file = await saved.path()
  must(!(await readFile(file, 'utf8')).includes(slug), 'nothing of it readable')

  const other = await wallet(browser)
  await other.goto(`${place.url}/ticket/#backup`)
  await other.setInputFiles('#field-backup', file)
  await other.fill('#field-unlock', 'not the passphrase')
  await other.getByRole('button', { name: 'Open the backup' }).click()
  await other.getByText('This is not the passphrase of that file.').waitFor()
  await other.fill('#field-unlock', PASSPHRASE)
  await other.getByRole('button', { name: 'Open the backup' }).click()
  await other.getByText('New on this phone: 1 ticket.').waitFor()
  await other.goto(`${place.url}/ticket/`)
  await other.locator('.stub').first().click()
  must((await bearerOn(other)) === code, 'the same ticket')
  must((await presents(gate, code, 'admit')) === 'Admit', 'and it is admitted')
  for (const each of [page, other]) await each.context().close()
}

async function printed({ browser, place, slug }: World): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'admit-paper-'))
  const page = await wallet(browser)
  const code = await buys(page, place, slug)
  const said = overheard(page.context())
  await page.getByRole('button', { name: 'Print it' }).click()
  await page.getByText('Paper is good for whoever holds it.').waitFor()
  await page.locator('.sheet img').evaluate((image: HTMLImageElement) => image.decode())
  await page.pdf({ path: join(folder, 'paper.pdf'), format: 'A4' })
  execFileSync('pdftoppm', ['-r', '150', '-png', join(folder, 'paper.pdf'), join(folder, 'paper')])
  const [sheet] = await readBarcodes(new Uint8Array(await readFile(join(folder, 'paper-1.png'))))
  must(sheet?.text === code, `the code on the paper, not ${sheet?.text}`)
  must(
    !said.some(text => new URL(text.split(' ')[0] ?? '').protocol.startsWith('http')),
    'nobody asked for it',
  )
  await page.context().close()
  await rm(folder, { recursive: true })
}

/** Withdrawn by its number: the gate refuses it. */
async function withdrawn({ browser, place, slug, desk, gate }: World): Promise<void> {
  const page = await wallet(browser)
  const code = await buys(page, place, slug)
  const number = await page.locator('.ticket-number').innerText()
  await desk.goto(`${place.url}/desk/events/${slug}/sales`)
  await desk.fill('#field-number', number)
  await desk.getByRole('button', { name: 'Withdraw it' }).click()
  await desk.getByText(`Ticket ${number} opens no gate any more.`).waitFor()
  await presents(gate, code, 'refuse')
  await page.context().close()
}

export async function walkAnonymous(browser: Browser, place: Place): Promise<void> {
  const slug = `nameless-${Date.now() % 1_000_000}`
  const desk = await (await open(browser, { acceptDownloads: true })).newPage()
  await step('anonymous: the desk sells without a name', () => makeSale(desk, place, slug))
  const gate = await gateOf(browser, desk, place, slug)
  const world = { browser, place, slug, desk, gate }
  await step('anonymous: bought with a test payment, admitted once, and its number told to nobody', () =>
    sevenSteps(world),
  )
  await step('anonymous: a lost answer costs no money', () => lostAnswer(world))
  await step('anonymous: a closed tab costs no money', () => closedTab(world))
  await step('anonymous: a wrong signature is told, and kept for a complaint', () => wrongSignature(world))
  await step('anonymous: by voucher, once', () => byVoucher(world))
  await step('anonymous: by card', () => byCard(world))
  await step('anonymous: the first to buy a day', () => firstOfDay(world))
  await step('anonymous: judged by the gate alone', () => gateAlone(world))
  await step('anonymous: read by the gate’s camera', () => byCamera(world))
  await step('anonymous: a token of another implementation', () => ofOthers(world))
  await step('anonymous: answers a gate that asks', () => answersGate(world))
  await step('anonymous: exchanged for a code that changes', () => exchanged(world))
  await step('anonymous: in flight mode', () => flight(world))
  await step('anonymous: from a backup on another phone', () => backedUp(world))
  await step('anonymous: on paper', () => printed(world))
  await step('anonymous: withdrawn by its number', () => withdrawn(world))
  await step('anonymous: axe, light and dark', () => accessible(world))
  for (const page of [gate, desk]) await page.context().close()
}

/** This part alone: `npm run e2e:anonymous`, for a real server. */
export const main = () => walkAlone('anonymous', walkAnonymous)
