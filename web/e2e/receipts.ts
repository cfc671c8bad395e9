// Receipts of the audit log, checked in the browser: on the holder's phone, and at the desk.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { Place } from './place.ts'
import { must } from './step.ts'

const HOLDS = /stands in the public log of the event as entry ([\d,]+) of ([\d,]+)\./

/** The ticket page checks its own proof, knows a changed key, and hands the receipt out; the file's path. */
export async function receiptOfTicket(attendee: Page, slug: string, folder: string): Promise<string> {
  await attendee.getByRole('button', { name: 'Check my receipt' }).click()
  await attendee.waitForSelector('[data-receipt="holds"]')
  const words = await attendee.locator('[data-receipt]').textContent()
  must(HOLDS.test(words ?? ''), `the entry and the size: ${words}`)

  // The phone remembers the key: when another is told, the old one still decides and the change is named.
  // The key of another log stands in for it, so that only being another one is wrong with it.
  const other = await attendee.evaluate(
    async () => (await fetch('/v1/events/sandbox-event/log')).json() as Promise<object>,
  )
  const told = `**/v1/events/${slug}/log`
  await attendee.route(told, route => route.fulfill({ json: other }))
  await attendee.getByRole('button', { name: 'Check again' }).click()
  await attendee.getByText('The log has another key now').waitFor()
  await attendee.waitForSelector('[data-receipt="holds"]')
  // Once it is trusted, nothing signed with the old one holds any more.
  await attendee.getByRole('button', { name: 'Trust the new key' }).click()
  await attendee.waitForSelector('[data-receipt="fails"]')
  await attendee.unroute(told)
  await attendee.evaluate(event => localStorage.removeItem(`admit-log-key:${event}`), slug)
  await attendee.getByRole('button', { name: 'Check again' }).click()
  await attendee.waitForSelector('[data-receipt="holds"]')

  const [download] = await Promise.all([
    attendee.waitForEvent('download'),
    attendee.getByRole('button', { name: 'Download receipt' }).click(),
  ])
  const path = join(folder, 'ticket.tlog-proof')
  await download.saveAs(path)
  must(
    (await readFile(path, 'utf8')).startsWith('c2sp.org/tlog-proof@v1\n'),
    'a receipt in its standard form',
  )
  return path
}

/** What was kept on the phone is checked with the network off, once the core was loaded. */
export async function receiptOffline(attendee: Page): Promise<void> {
  await attendee.context().setOffline(true)
  await attendee.getByRole('button', { name: 'Check again' }).click()
  await attendee.waitForSelector('[data-receipt="holds"]')
  await attendee.context().setOffline(false)
}

const verdict = (desk: Page, holds: boolean) => desk.waitForSelector(`[data-receipt="${holds}"]`)

/** The desk takes the receipt's file, its text and a proof as JSON, and refuses each when one letter is changed. */
export async function receiptAtDesk(
  desk: Page,
  place: Place,
  slug: string,
  file: string,
  access: string,
): Promise<void> {
  await desk.goto(`${place.url}/desk/events/${slug}/log`)
  const size = Number(await desk.locator('[data-log-size]').getAttribute('data-log-size'))
  must(size >= 3, `a log with entries, not ${size}`)
  await desk.setInputFiles('input[type=file]', file)
  await verdict(desk, true)
  await desk.getByText('What it is about is sealed').waitFor()

  const check = async (text: string, holds: boolean) => {
    await desk.fill('#field-receipt', text)
    await desk.getByRole('button', { name: 'Check', exact: true }).click()
    await verdict(desk, holds)
  }
  const text = await readFile(file, 'utf8')
  const lines = text.split('\n')
  for (const [number, line] of lines.entries()) {
    if (line === '') continue
    const at = Math.floor(line.length / 2)
    const other = line[at] === 'A' ? 'B' : 'A'
    const changed = lines.with(number, `${line.slice(0, at)}${other}${line.slice(at + 1)}`)
    await check(changed.join('\n'), false)
  }
  await check(text, true)
  await check('a shopping list', false)
  const transfer = await desk.evaluateHandle(content => {
    const made = new DataTransfer()
    made.items.add(new File([content], 'ticket.tlog-proof'))
    return made
  }, text)
  await desk.dispatchEvent('#field-receipt', 'drop', { dataTransfer: transfer })
  await verdict(desk, true)

  const proof = await desk.evaluate(async credential => {
    const answer = await fetch('/v1/ticket', { headers: { authorization: `Bearer ${credential}` } })
    return JSON.stringify(((await answer.json()) as { merkle_validation: unknown }).merkle_validation)
  }, access)
  await check(proof, true)
  await desk.getByText('It is about ticket').waitFor()
  await check(proof.replace('"inclusion_index":', '"inclusion_index":1'), false)

  const [download] = await Promise.all([
    desk.waitForEvent('download'),
    desk.getByRole('button', { name: 'Download checkpoint' }).click(),
  ])
  must(download.suggestedFilename() === `${slug}.checkpoint`, 'a checkpoint to keep')
}
