// Gates with the network gone: cut in the middle of things, killed, two of them with one ticket, and what each says of it.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page, Route } from 'playwright-core'
import { walkAlone } from './alone.ts'
import { launchKept, open, type Place } from './place.ts'
import { must, step, until } from './step.ts'

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true }
const ADMISSIONS = '**/v1/gate/admissions'
const SYNC = '**/v1/sync_offline'

type Answer = { status: number; body: Record<string, unknown> }

/** A call of the API from inside the desk's page, with its session. */
const api = (page: Page, method: string, path: string, body?: object): Promise<Answer> =>
  page.evaluate(
    async ([how, where, what]) => {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(where, { method: how, headers, body: what ?? null })
      return { status: answer.status, body: await answer.json() }
    },
    [method, path, body && JSON.stringify(body)] as const,
  )

/** Takes a scanner's call to the server, as its own network would: here the desk's page carries it, which trusts the server. */
async function carried(desk: Page, route: Route): Promise<Answer> {
  const request = route.request()
  return desk.evaluate(
    async ([path, body, authorization]) => {
      const headers = { 'content-type': 'application/json', authorization }
      const answer = await fetch(path, { method: 'POST', headers, body, credentials: 'omit' })
      return { status: answer.status, body: await answer.json() }
    },
    [
      new URL(request.url()).pathname,
      request.postData() ?? '',
      request.headers().authorization ?? '',
    ] as const,
  )
}

async function made(page: Page, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await api(page, 'POST', path, body)
  must(answer.status < 300, `${path} done, not ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

type Stage = { desk: Page; place: Place; slug: string; codes: string[]; numbers: string[] }

async function makeEvent(desk: Page, place: Place): Promise<Stage> {
  await desk.goto(`${place.url}/desk/`)
  await desk.fill('#field-username', place.username)
  await desk.fill('#field-password', place.password)
  await desk.click('button[type=submit]')
  await desk.getByRole('link', { name: 'New event' }).waitFor()
  const slug = `offline-${Date.now() % 1_000_000_000}`
  const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
  await made(desk, '/v1/desk/events', {
    ...{ slug, name: 'Without a network', venue: 'Kesselhaus', description: '', time_zone: 'Europe/Berlin' },
    ...{ doors_at: null, starts_at: at(1), ends_at: at(2), registration: 'open', token_format: 'a1' },
    ...{ show_name_at_gate: true, phone: 'hidden', questions: [] },
  })
  for (const name of ['North gate', 'South gate']) await made(desk, `/v1/desk/events/${slug}/gates`, { name })
  const type = { name: 'Standard', description: '', quota: 100, max_uses: 1, gates: [], rotation: 'none' }
  await made(desk, `/v1/desk/events/${slug}/ticket-types`, { ...type, valid_from: null, valid_until: null })
  const stage: Stage = { desk, place, slug, codes: [], numbers: [] }
  for (let count = 0; count < 16; count++) await issue(stage)
  return stage
}

async function issue({ desk, place, slug, codes, numbers }: Stage, type = 1): Promise<void> {
  const path = `/v1/desk/events/${slug}/tickets`
  const issued = await made(desk, path, { ticket_type: type, name: 'A Guest', email: 'guest@example.org' })
  const { body } = await api(desk, 'GET', `${path}/${issued.number}`)
  const access = new URL(String(body.access_url), place.url).hash.slice(1)
  const code = await desk.evaluate(async bearer => {
    const answer = await fetch('/v1/ticket', {
      headers: { authorization: `Bearer ${bearer}` },
      credentials: 'omit',
    })
    return ((await answer.json()) as { code: string }).code
  }, access)
  codes.push(code)
  numbers.push(String(issued.number))
}

/** A scanner without a camera, paired at a gate, its shell kept and the server's time known. */
async function scanner(context: BrowserContext, stage: Stage, name: string, gate: number): Promise<Page> {
  const page = await context.newPage()
  await noCamera(page)
  const pairing = await made(stage.desk, `/v1/desk/events/${stage.slug}/pairings`, {
    device_name: name,
    gate,
  })
  await page.goto(`${stage.place.url}/gate/#pair=${pairing.code}`)
  await page.getByRole('button', { name: 'Pair and start' }).click()
  await ready(page)
  return page
}

const noCamera = (page: Page) =>
  page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError'))
  })

const ready = (page: Page) => page.waitForSelector('.ready-line[data-ready="true"]', { timeout: 30_000 })
const synced = (page: Page) => page.waitForSelector('.ready-line[data-pending="0"]', { timeout: 30_000 })
const pending = (page: Page, count: number) => page.waitForSelector(`.ready-line[data-pending="${count}"]`)
const link = (page: Page, state: 'online' | 'offline') => page.waitForSelector(`.link.${state}`)
const wordOn = (page: Page) => page.locator('.verdict .word').textContent()

async function cut(page: Page): Promise<void> {
  await page.context().setOffline(true)
  await link(page, 'offline')
}

async function mend(page: Page): Promise<void> {
  await page.context().setOffline(false)
  await link(page, 'online')
}

/** Like a hand scanner; the scan's id, once it is another one on the panel and has its verdict. */
async function scan(page: Page, code: string, tone: 'admit' | 'refuse' | 'wait'): Promise<string> {
  const before = await page.locator('.verdict').getAttribute('data-scan')
  await page.evaluate(text => {
    for (const key of [...text, 'Enter']) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
    }
  }, code)
  const seen = await page.waitForFunction(
    ([old, wanted]) => {
      const panel = document.querySelector<HTMLElement>('.verdict')
      const { scan: id, tone: is } = panel?.dataset ?? {}
      return id && id !== old && is === wanted ? id : null
    },
    [before, tone] as const,
  )
  return String(await seen.jsonValue())
}

/** A code counts as new once it was out of view for longer than this; the page's clock says when. */
async function outOfView(page: Page): Promise<void> {
  const since = await page.evaluate(() => performance.now())
  await page.waitForFunction(start => performance.now() > start + 3_050, since)
}

async function statsOf({ desk, slug }: Stage): Promise<{ entries: number; admitted: number }> {
  return (await api(desk, 'GET', `/v1/desk/events/${slug}/stats`)).body as never
}

async function conflictsOf({ desk, slug }: Stage): Promise<{ id: number; ticket: string }[]> {
  return (await api(desk, 'GET', `/v1/desk/events/${slug}/conflicts`)).body.conflicts as never
}

async function entriesAre(stage: Stage, wanted: number): Promise<void> {
  const { entries } = await statsOf(stage)
  must(entries === wanted, `${wanted} entries at the desk, not ${entries}`)
}

/** The body of every call to a path that the page makes from now on. */
function listen(page: Page, path: string): Record<string, unknown>[] {
  const bodies: Record<string, unknown>[] = []
  page.on('request', request => {
    if (request.method() === 'POST' && request.url().endsWith(path)) bodies.push(request.postDataJSON())
  })
  return bodies
}

// --- the steps ----------------------------------------------------------------------------------------------------

/** The server has admitted, and its answer is lost: one id, one entry, and no false alarm. */
async function cutInScan(gate: Page, stage: Stage): Promise<void> {
  const asked = listen(gate, '/v1/gate/admissions')
  const held: Route[] = []
  await gate.route(ADMISSIONS, async route => {
    await carried(stage.desk, route)
    held.push(route)
  })
  const id = await scan(gate, stage.codes[0] ?? '', 'admit')
  must(
    (await gate.locator('.verdict').textContent())?.includes('without the server'),
    'the device’s own word',
  )
  for (const route of held) await route.abort()
  await gate.unroute(ADMISSIONS)
  must(asked.length === 1 && asked[0]?.scan_id === id, 'the id of the request is that of the verdict')
  must(asked[0]?.confirm === true, 'the promise to say what became of it')
  await link(gate, 'online')
  await synced(gate)
  await entriesAre(stage, 1)
  must((await conflictsOf(stage)).length === 0, 'no double entry of one person')
}

/** The first sync reaches the server, and its answer is lost: told again, counted once. */
async function cutInSync(gate: Page, stage: Stage): Promise<void> {
  await cut(gate)
  await scan(gate, stage.codes[1] ?? '', 'admit')
  await scan(gate, stage.codes[2] ?? '', 'admit')
  await outOfView(gate)
  await scan(gate, stage.codes[1] ?? '', 'refuse')
  must((await wordOn(gate)) === 'Already used', 'the device’s own memory')
  await pending(gate, 3)
  let lost = 0
  await gate.route(SYNC, async route => {
    await carried(stage.desk, route)
    lost += 1
    await route.abort()
    await gate.unroute(SYNC)
  })
  await gate.context().setOffline(false)
  await synced(gate)
  must(lost === 1, 'one lost answer')
  await entriesAre(stage, 3)
}

async function cutInDownload(gate: Page, { place }: Stage): Promise<void> {
  if (place.mock) place.mock.state.downloadPage = 5
  await openDiagnostics(gate)
  let calls = 0
  await gate.route(/\/v1\/gate\/download/, async route => {
    calls += 1
    // On a small event the real server needs one page only: then it is that one that is cut.
    if (calls === (place.mock ? 3 : 1)) return route.abort()
    return route.continue()
  })
  await gate.getByRole('button', { name: 'Download now' }).click()
  await gate.getByText('Cut off. It goes on where it stopped.').waitFor()
  const before = calls
  await gate.getByRole('button', { name: place.mock ? 'Go on' : 'Download now' }).click()
  await gate.waitForSelector('[data-download="whole"]')
  await gate.getByText('16 of 16 tickets').waitFor()
  if (place.mock) must(calls - before === 2, `the rest and no more, not ${calls - before} calls`)
  await gate.unroute(/\/v1\/gate\/download/)
  await closeDialog(gate)
}

async function openDiagnostics(gate: Page): Promise<void> {
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByRole('button', { name: 'Sync and diagnostics' }).click()
  await gate.locator('.diagnostics').waitFor()
}

async function closeDialog(gate: Page): Promise<void> {
  await gate.locator('dialog[open]').getByRole('button', { name: 'Close' }).click()
  await gate.locator('dialog[open]').waitFor({ state: 'detached' })
}

/** What is in the journal on the disk, as a thief of the disk would see it. */
const stolen = (gate: Page) =>
  gate.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('admit-gate')
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error)
    })
    const all = (store: string) =>
      new Promise<unknown[]>(resolve => {
        const reading = database.transaction(store).objectStore(store).getAll()
        reading.onsuccess = () => resolve(reading.result)
      })
    const kept = (await all('kept')) as { kind: string; sealed: { data: ArrayBuffer } }[]
    const [key] = (await all('keys')) as CryptoKey[]
    database.close()
    return {
      kinds: kept.map(record => record.kind),
      text: kept.map(({ sealed }) => new TextDecoder('latin1').decode(sealed.data)).join(' '),
      extractable: key?.extractable,
    }
  })

async function sealed(gate: Page): Promise<void> {
  const { kinds, text, extractable } = await stolen(gate)
  must(kinds.includes('entry') && !kinds.includes('intent'), `entries kept and no intent left: ${kinds}`)
  must(!/token_hash|done|[0-9a-f]{64}/.test(text), 'nothing to read in the journal')
  must(extractable === false, 'a key that nobody can read out')
}

/** Admits, dies at once, comes back: the entry is told, and the ticket is still used. */
async function killed(stage: Stage, folder: string): Promise<void> {
  const first = await launchKept(folder, phone)
  const gate = await scanner(first, stage, 'Dying phone', 1)
  await cut(gate)
  await scan(gate, stage.codes[3] ?? '', 'admit')
  const browser = await first.newCDPSession(gate)
  const closed = first.waitForEvent('close')
  await browser.send('Browser.crash').catch(() => undefined)
  await closed

  const second = await launchKept(folder, phone)
  const back = await second.newPage()
  await noCamera(back)
  await second.setOffline(true)
  await back.goto(`${stage.place.url}/gate/`)
  await pending(back, 1)
  await scan(back, stage.codes[3] ?? '', 'refuse')
  must((await wordOn(back)) === 'Already used', 'the entry of before the crash')
  await second.setOffline(false)
  await synced(back)
  await entriesAre(stage, 4)
  await second.close()
}

/** Both admit, each by itself; both hear of it, the desk has it, once. */
async function doubled(north: Page, south: Page, stage: Stage): Promise<void> {
  const code = stage.codes[4] ?? ''
  await cut(north)
  await cut(south)
  await scan(north, code, 'admit')
  // Only North has downloaded the event, and only the ticket's own code opens the name. (The stand-in locks none.)
  if (!stage.place.mock) await north.locator('.verdict .who', { hasText: 'A Guest' }).waitFor()
  await scan(south, code, 'admit')
  must((await south.locator('.verdict .who').count()) === 0, 'no name on a device that has none')
  await mend(north)
  await synced(north)
  await mend(south)
  const number = stage.numbers[4] ?? ''
  for (const gate of [south, north]) {
    const told = gate.locator('.double')
    await told.waitFor({ timeout: 30_000 })
    const text = (await told.textContent()) ?? ''
    for (const part of [number, 'North gate', 'South gate', 'apart', 'this scanner'])
      must(text.includes(part), `${part} in the notice`)
    await gate.keyboard.press('Escape')
    must(await told.isVisible(), 'the notice stays until it was seen')
    const heard = gate.waitForResponse(
      answer => answer.url().endsWith('/v1/sync_offline') && answer.request().postDataJSON().shown.length > 0,
    )
    await gate.getByRole('button', { name: 'Seen' }).click()
    await told.waitFor({ state: 'detached' })
    await heard
  }
  const conflicts = await conflictsOf(stage)
  must(conflicts.length === 1 && conflicts[0]?.ticket === number, 'one double entry at the desk')
  for (const gate of [south, north]) {
    await gate.reload()
    await ready(gate)
    await openDiagnostics(gate)
    const told = new Promise<{ notices: unknown[] }>(tell => {
      void gate.route(SYNC, async route => {
        const { status, body } = await carried(stage.desk, route)
        tell(body as { notices: unknown[] })
        await route.fulfill({ status, json: body })
      })
    })
    await gate.getByRole('button', { name: 'Sync now' }).click()
    must((await told).notices.length === 0 && (await gate.locator('.double').count()) === 0, 'told once')
    await gate.unroute(SYNC)
    await closeDialog(gate)
  }
}

async function doubledAtDesk({ desk, place, slug, numbers }: Stage): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}`)
  await desk.locator('[data-figure="doubles"]', { hasText: '1' }).click()
  await desk.locator('[data-case]', { hasText: numbers[4] ?? '' }).waitFor()
  must((await desk.locator('[data-case]').count()) === 1, 'one case')
  must((await desk.locator('[data-case] [data-entry]').count()) === 2, 'with its two entries')
}

/** Judges like the real thing, asks nobody, and leaves no trace. */
async function rehearsed(gate: Page, stage: Stage): Promise<void> {
  const [admissions, syncs] = [listen(gate, '/v1/gate/admissions'), listen(gate, '/v1/sync_offline')]
  const real = await gate.locator('.admit-count').textContent()
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByRole('button', { name: 'Rehearsal' }).click()
  await gate.locator('.rehearsal').waitFor()
  must((await gate.locator('.admit-count').textContent())?.startsWith('0'), 'counters of its own')
  await scan(gate, stage.codes[5] ?? '', 'admit')
  await outOfView(gate)
  await scan(gate, stage.codes[5] ?? '', 'refuse')
  await scan(gate, stage.codes[1] ?? '', 'refuse')
  must((await wordOn(gate)) === 'Already used', 'what is known of real entries')
  await gate.getByRole('button', { name: 'End rehearsal' }).click()
  await gate.locator('.rehearsal').waitFor({ state: 'detached' })
  must((await gate.locator('.admit-count').textContent()) === real, 'the real counters as before')
  must(admissions.length === 0, 'nobody asked')
  must(
    syncs.every(body => (body.accepted_tokens as unknown[]).length === 0),
    'nothing told',
  )
  await scan(gate, stage.codes[5] ?? '', 'admit')
  await synced(gate)
}

/** Headless Chromium makes no promise about storage: said on the screen, with what to do. */
async function storageWarned(gate: Page): Promise<void> {
  await gate.waitForSelector('[data-warning="storage"]')
  await gate.getByRole('button', { name: 'What to do' }).click()
  await gate.getByText('Add to home screen').waitFor()
  await closeDialog(gate)
  await gate.getByRole('button', { name: 'Hide this warning' }).click()
  await gate.waitForSelector('[data-warning="storage"]', { state: 'detached' })
}

/** A disk that takes no more: no green without a record, and again green when it does. */
async function diskFull(gate: Page, stage: Stage): Promise<void> {
  await cut(gate)
  await gate.evaluate(() => {
    const { add } = IDBObjectStore.prototype
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
    Object.assign(window, {
      makeRoom: () => {
        IDBObjectStore.prototype.add = add
      },
    })
  })
  await scan(gate, stage.codes[6] ?? '', 'refuse')
  must((await wordOn(gate)) === 'Cannot keep records', 'why there is no green')
  await gate.waitForSelector('[data-warning="disk"]')
  await gate.evaluate(() => (window as unknown as { makeRoom: () => void }).makeRoom())
  await mend(gate)
  await gate.waitForSelector('[data-warning="disk"]', { state: 'detached' })
  await synced(gate)
  const { entries } = await statsOf(stage)
  await outOfView(gate)
  await scan(gate, stage.codes[6] ?? '', 'admit')
  await synced(gate)
  await entriesAre(stage, entries + 1)
}

/** North tells South by the codes on its screen, with no server at all. */
async function exchanged(north: Page, south: Page, stage: Stage): Promise<void> {
  const code = stage.codes[7] ?? ''
  await cut(north)
  await cut(south)
  await scan(north, code, 'admit')
  await openDiagnostics(north)
  await north.getByRole('button', { name: 'Exchange with another scanner' }).click()
  await north.getByRole('button', { name: 'Show as codes' }).click()
  const shown = await codesOn(north)
  const forged = shown[0]?.replace(/[0-9A-Z]$/, last => (last === '0' ? '1' : '0')) ?? ''
  await wedge(south, forged)
  await south.locator('.soft-notice', { hasText: 'Not taken in' }).waitFor()
  for (const text of shown) {
    await wedge(south, text)
    await south.locator('.soft-notice', { hasText: `of ${shown.length} codes from` }).waitFor()
  }
  await scan(south, code, 'refuse')
  must((await wordOn(south)) === 'Already used', 'what North told')
  await closeDialog(north)
  await mend(north)
  await mend(south)
  await synced(north)
  await synced(south)
  must((await conflictsOf(stage)).length === 1, 'no further double entry')
}

/** The codes that a scanner shows, all of one round. */
async function codesOn(gate: Page): Promise<string[]> {
  await gate.waitForSelector('[data-exchange]')
  const of = Number(/ of (\d+)/.exec((await gate.locator('.exchange-code').textContent()) ?? '')?.[1])
  const shown = new Set<string>()
  while (shown.size < of) {
    const text = (await gate.locator('[data-exchange]').getAttribute('data-exchange')) ?? ''
    if (shown.has(text)) {
      await gate.waitForFunction(
        old => document.querySelector<HTMLElement>('[data-exchange]')?.dataset.exchange !== old,
        text,
      )
    }
    shown.add(text)
  }
  return [...shown]
}

/** Two scanners on one network, no server: what one lets in, the other refuses a moment later. */
async function linked(north: Page, south: Page, stage: Stage): Promise<void> {
  // The network is there, only no server: what cuts a page off cuts its link, too.
  for (const gate of [north, south]) {
    await gate.route('**/v1/**', route => route.abort())
    await gate.evaluate(() => dispatchEvent(new Event('offline')))
    await link(gate, 'offline')
  }
  await openDiagnostics(north)
  await north.getByRole('button', { name: 'Exchange with another scanner' }).click()
  await north.getByRole('button', { name: 'Start a link' }).click()
  await north.waitForSelector('[data-link="offer"]')
  for (const text of await codesOn(north)) await wedge(south, text)
  await south.waitForSelector('[data-link="answer"]')
  for (const text of await codesOn(south)) await wedge(north, text)
  for (const gate of [north, south]) await gate.waitForSelector('[data-link="open"]')
  const known = /(\d+) taken in/.exec((await south.locator('[data-link]').textContent()) ?? '')?.[1]
  await scan(north, stage.codes[11] ?? '', 'admit')
  await south.waitForFunction(before => {
    const told = /(\d+) taken in/.exec(document.querySelector('[data-link]')?.textContent ?? '')?.[1]
    return told !== before
  }, known)
  await scan(south, stage.codes[11] ?? '', 'refuse')
  must((await wordOn(south)) === 'Already used', 'what North let in')
  for (const gate of [north, south]) {
    await gate.unroute('**/v1/**')
    await gate.evaluate(() => dispatchEvent(new Event('online')))
    await link(gate, 'online')
    await synced(gate)
  }
}

const wedge = (page: Page, code: string) =>
  page.evaluate(text => {
    for (const key of [...text, 'Enter']) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
    }
  }, code)

/** Restarted without a network, with its clock an hour back: said, and no old time is believed. */
async function turnedBack(context: BrowserContext, stage: Stage): Promise<void> {
  for (const page of context.pages()) await page.close()
  const gate = await context.newPage()
  await noCamera(gate)
  await gate.clock.install({ time: Date.now() - 3_600_000 })
  await context.setOffline(true)
  await gate.goto(`${stage.place.url}/gate/`)
  await gate.waitForSelector('[data-warning="clock"]')
  await gate.getByText('turned back by 60 min').waitFor()
  await scan(gate, stage.codes[8] ?? '', 'admit')
  const file = await journalOf(gate)
  const last = file.entries.at(-1)
  must(last !== undefined && last.low_ms > Date.now() - 600_000, 'an entry not before the newest known time')
  await context.setOffline(false)
  await synced(gate)
  await gate.close()
}

type JournalFile = { device: number; entries: { low_ms: number; hash: string; word: string }[] }

async function journalOf(gate: Page): Promise<JournalFile> {
  await openDiagnostics(gate)
  const [download] = await Promise.all([
    gate.waitForEvent('download'),
    gate.getByRole('button', { name: 'Save the journal to a file' }).click(),
  ])
  const file = JSON.parse(await readFile(await download.path(), 'utf8')) as JournalFile
  await closeDialog(gate)
  return file
}

/** A second tab waits, says so, and takes over when it is told to. */
async function oneTab(context: BrowserContext, first: Page, stage: Stage): Promise<Page> {
  const second = await context.newPage()
  await noCamera(second)
  await second.goto(`${stage.place.url}/gate/`)
  await second.getByText('Open in another tab').waitFor()
  await second.getByRole('button', { name: 'Use it here' }).click()
  await ready(second)
  await first.getByText('Open in another tab').waitFor()
  await first.close()
  return second
}

/** The rules that the scanner has kept name this ticket type. */
const knowsType = (gate: Page, name: string) =>
  until(
    gate,
    async wanted => {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open('admit-gate')
        opening.onsuccess = () => resolve(opening.result)
        opening.onerror = () => reject(opening.error)
      })
      const setup = await new Promise<unknown>(resolve => {
        const reading = database.transaction('facts').objectStore('facts').get('setup')
        reading.onsuccess = () => resolve(reading.result)
      })
      database.close()
      return JSON.stringify(setup).includes(wanted)
    },
    name,
  )

/** Made at the desk in plain words, kept at the gates: one scanner may admit alone, the other may not, and some none. */
async function policies(north: Page, south: Page, stage: Stage): Promise<void> {
  const { desk, place, slug, codes } = stage
  await desk.goto(`${place.url}/desk/events/${slug}/settings`)
  const form = async (name: string, policy: string, device?: string) => {
    await desk.getByRole('button', { name: 'Add a ticket type' }).click()
    await desk.fill('dialog #field-name', name)
    await desk.locator('.risk-figure:not([data-risk="0"])').waitFor()
    await desk.getByRole('radio', { name: policy }).check()
    await desk.locator('.risk-figure[data-risk="0"]').waitFor()
    if (device) await desk.selectOption('#field-lease_device', { label: device })
    await desk.click('dialog button[type=submit]')
    await desk.locator('dialog').waitFor({ state: 'detached' })
  }
  await form('Leased', 'One scanner holds the lease', 'North phone')
  await form('Careful', 'Only with a connection')
  await issue(stage, 2)
  await issue(stage, 3)
  const [leased, careful] = [codes.at(-2) ?? '', codes.at(-1) ?? '']
  for (const gate of [north, south]) {
    await gate.reload()
    await knowsType(gate, 'Careful')
    await ready(gate)
    await cut(gate)
  }
  await scan(south, leased, 'refuse')
  must((await wordOn(south)) === 'At another gate', 'the lease elsewhere')
  await scan(south, careful, 'refuse')
  must((await wordOn(south)) === 'No connection', 'what needs the server')
  await scan(north, leased, 'admit')
  for (const gate of [north, south]) {
    await mend(gate)
    await synced(gate)
  }
}

/** Asked for proof, a ticket that proves nothing is refused, here and by the server; the next one is as before. */
async function proven(gate: Page, { codes }: Stage): Promise<void> {
  const asked = listen(gate, '/v1/gate/admissions')
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByRole('button', { name: 'Ask for proof' }).click()
  await gate.locator('.proof img').waitFor()
  const answered = gate.waitForResponse(ADMISSIONS)
  await scan(gate, codes[12] ?? '', 'refuse')
  must((await answered).status() === 409, 'refused by the server, too')
  must(/^[\w-]{11}$/.test(String(asked[0]?.challenge)), 'told what was asked')
  must((await wordOn(gate)) === 'Not the holder', 'why')
  must((await gate.locator('.proof').count()) === 0, 'asked once')
  await scan(gate, codes[13] ?? '', 'admit')
  await synced(gate)
}

/** Unpairing with entries that nobody heard of asks first. */
async function unpairWarns(gate: Page, stage: Stage): Promise<void> {
  await cut(gate)
  await scan(gate, stage.codes[9] ?? '', 'admit')
  await gate.getByRole('button', { name: 'Menu' }).click()
  await gate.getByRole('button', { name: 'Unpair this device' }).click()
  await gate.getByText('1 entry has not reached the server').waitFor()
  await gate.getByRole('button', { name: 'Cancel' }).click()
  await closeDialog(gate)
  await mend(gate)
  await synced(gate)
}

// --- the run ------------------------------------------------------------------------------------------------------

export async function walkOffline(browser: Browser, place: Place): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'admit-offline-'))
  try {
    const desk = await (await open(browser)).newPage()
    const stage = await step('offline: an event with two gates', () => makeEvent(desk, place))
    const northContext = await open(browser, phone)
    const southContext = await open(browser, phone)
    let north = await step('offline: a paired scanner says that it is ready', () =>
      scanner(northContext, stage, 'North phone', 1),
    )
    const south = await scanner(southContext, stage, 'South phone', 2)
    await step('offline: the browser’s refusal to keep is said', () => storageWarned(north))
    await step('offline: cut in the middle of a scan', () => cutInScan(north, stage))
    await step('offline: cut in the middle of a sync', () => cutInSync(north, stage))
    await step('offline: the journal is sealed', () => sealed(north))
    await step('offline: cut in the middle of a download', () => cutInDownload(north, stage))
    await step('offline: killed between verdict and sync', () => killed(stage, folder))
    await step('offline: one ticket at two gates, told once to both', () => doubled(north, south, stage))
    await step('offline: the desk has it', () => doubledAtDesk(stage))
    await step('offline: a rehearsal leaves no trace', () => rehearsed(north, stage))
    await step('offline: no green from a disk that is full', () => diskFull(north, stage))
    await step('offline: gate to gate by codes', () => exchanged(north, south, stage))
    await step('offline: gate to gate by a live link', () => linked(north, south, stage))
    await step('offline: asked for proof', () => proven(north, stage))
    await step('offline: the policies of ticket types', () => policies(north, south, stage))
    north = await step('offline: one tab has the station', () => oneTab(northContext, north, stage))
    await step('offline: unpairing warns of what was not told', () => unpairWarns(north, stage))
    await step('offline: a clock that was turned back', () => turnedBack(southContext, stage))
    await Promise.all([northContext.close(), southContext.close(), desk.context().close()])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** This part alone. */
export const main = () => walkAlone('offline', walkOffline)
