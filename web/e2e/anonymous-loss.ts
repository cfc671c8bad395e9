// Purchases that are interrupted: an answer that is lost, a tab that is closed, an issuer that lies. None of them costs money.
import { readFile } from 'node:fs/promises'
import { chooses, numbersOn, opensTicket, paysByTest, type World, wallet } from './anonymous-shop.ts'
import { made } from './rotation.ts'
import { must } from './step.ts'

/** The answer to the signature is lost: the same blinded number gets the ticket. */
export async function lostAnswer({ browser, place, slug, desk }: World): Promise<void> {
  const page = await wallet(browser)
  const sent: string[] = []
  await page.route('**/v1/sign_blinded', async route => {
    const body = route.request().postDataJSON()
    sent.push(body.blinded_token)
    // By another page: Playwright itself does not know this server's certificate.
    await made(desk, '/v1/sign_blinded', body)
    await route.abort()
  })
  await chooses(page, place, slug)
  await paysByTest(page)
  await page.waitForSelector('[data-purchase="no_answer"]')
  await page.getByText('Nothing is lost').waitFor()
  await page.unroute('**/v1/sign_blinded')
  const [again] = await Promise.all([
    page.waitForRequest('**/v1/sign_blinded'),
    page.getByRole('button', { name: 'Try again' }).click(),
  ])
  must(sent[0] === again.postDataJSON().blinded_token, 'the same blinded number again')
  await opensTicket(page)
  await page.context().close()
}

/** The tab is closed while the signature is on its way; the list offers to continue, and two tabs do. */
export async function closedTab({ browser, place, slug }: World): Promise<void> {
  const first = await wallet(browser)
  const sending = first.waitForRequest('**/v1/sign_blinded')
  await first.route('**/v1/sign_blinded', () => {})
  await chooses(first, place, slug, 2)
  await paysByTest(first)
  await sending
  const context = first.context()
  await first.close()

  const second = await context.newPage()
  await second.goto(`${place.url}/ticket/`)
  await second.getByText('A purchase is not finished').waitFor()
  const going = await second.getByRole('link', { name: 'Continue' }).getAttribute('href')
  // In two tabs at once, which end with the same two tickets.
  const tabs = [second, await context.newPage()]
  await Promise.all(tabs.map(tab => tab.goto(`${place.url}/ticket/${going}`)))
  await Promise.all(tabs.map(tab => tab.getByRole('link', { name: 'Your tickets' }).last().waitFor()))
  await second.goto(`${place.url}/ticket/`)
  await second.locator('.stub').nth(1).waitFor()
  must((await second.locator('.stub').count()) === 2, 'both tickets, once')
  must((await second.locator('[data-unfinished]').count()) === 0, 'nothing left to continue')
  await context.close()
}

/** What comes back is no signature: told, kept as a proof that gives nobody away, and made good by asking again. */
export async function wrongSignature({ browser, place, slug }: World): Promise<void> {
  const page = await wallet(browser)
  const nonsense = Buffer.alloc(256, 7).toString('base64')
  await page.route('**/v1/sign_blinded', route => route.fulfill({ json: { signed_blinded: nonsense } }))
  await chooses(page, place, slug)
  await paysByTest(page)
  await page.waitForSelector('[data-purchase="wrong_signature"]')
  const [saved] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save the proof' }).click(),
  ])
  const proof = await readFile(await saved.path(), 'utf8')
  await page.unroute('**/v1/sign_blinded')
  await page.getByRole('button', { name: 'Ask again' }).click()
  await opensTicket(page)
  const numbers = await numbersOn(page)
  must(
    proof.includes('signed_blinded') && !numbers.some(number => proof.includes(number)),
    'a proof, no number',
  )
  await page.context().close()
}
