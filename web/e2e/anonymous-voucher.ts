// Vouchers from the desk to the gate: made once, typed, read by the camera, and worth one ticket each.
import { renderSVG } from 'uqr'
import { opensTicket, type World, wallet } from './anonymous-shop.ts'
import { hold, presents, withCamera } from './proof.ts'
import { must } from './step.ts'

async function makesVouchers({ desk, place, slug }: World): Promise<string[]> {
  await desk.goto(`${place.url}/desk/events/${slug}/sales`)
  await desk.getByRole('button', { name: 'Make vouchers' }).click()
  await desk.fill('#field-label', 'Kiosk A')
  await desk.fill('#field-count', '2')
  await desk.getByRole('button', { name: 'Make them' }).click()
  await desk.waitForSelector('[data-codes="2"]')
  const [printed] = await Promise.all([
    desk.waitForEvent('download'),
    desk.getByRole('button', { name: 'Print cards' }).click(),
  ])
  must(printed.suggestedFilename().endsWith('.pdf'), 'cards as a PDF')
  const codes = await desk.locator('.codes li').allInnerTexts()
  await desk.locator('dialog').getByRole('button', { name: 'Close' }).click()
  await desk.getByText('0 of 2 redeemed').waitFor()
  return codes
}

export async function byVoucher(world: World): Promise<void> {
  const { browser, place, gate } = world
  const [code = '', second = ''] = await makesVouchers(world)
  const page = await wallet(browser)
  await page.goto(`${place.url}/ticket/`)
  await page.getByRole('link', { name: 'Use a voucher' }).click()
  await page.fill('#field-voucher', `${code.slice(0, -1)}${code.endsWith('2') ? '3' : '2'}`)
  await page.getByRole('button', { name: 'Use it' }).click()
  await page.getByText('This is not a voucher code.').waitFor()
  await page.fill('#field-voucher', code.toLowerCase().replaceAll('-', ' '))
  await page.getByRole('button', { name: 'Use it' }).click()
  const bearer = await opensTicket(page)
  must((await presents(gate, bearer, 'admit')) === 'Admit', 'the ticket of a voucher admitted')

  const other = await wallet(browser)
  await other.goto(`${place.url}/ticket/#voucher`)
  await other.fill('#field-voucher', code)
  await other.getByRole('button', { name: 'Use it' }).click()
  await other.waitForSelector('[data-purchase="problem"]')
  for (const each of [page, other]) await each.context().close()
  await byCamera(world, second)
}

/** The card's picture, held before the wallet's camera. */
async function byCamera({ browser, place }: World, code: string): Promise<void> {
  const page = await wallet(browser)
  await withCamera(page)
  await page.goto(`${place.url}/ticket/#voucher`)
  await page.getByRole('button', { name: 'Read it with the camera' }).click()
  await page.locator('.ask-camera video:not([hidden])').waitFor()
  const card = `${place.url}/ticket/#voucher=${code}`
  await hold(page, `data:image/svg+xml,${encodeURIComponent(renderSVG(card, { border: 4 }))}`)
  await opensTicket(page)
  await page.context().close()
}
