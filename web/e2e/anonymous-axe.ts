// axe against every page of tickets without a name, light and dark.
import type { Page } from 'playwright-core'
import { check } from './accessibility.ts'
import { buys, chooses, paysByTest, type World } from './anonymous-shop.ts'
import { open } from './place.ts'
import { phone } from './rotation.ts'
import { must } from './step.ts'

export async function accessible({ browser, place, slug, desk }: World): Promise<void> {
  const options = { bypassCSP: true, serviceWorkers: 'block' as const, viewport: phone.viewport }
  const holder = await open(browser, options)
  const page = await holder.newPage()
  await buys(page, place, slug)
  const token = page.url()
  const unfinished = await holder.newPage()
  await holder.route('**/v1/sign_blinded', route => route.abort())
  await chooses(unfinished, place, slug)
  await paysByTest(unfinished)
  await unfinished.waitForSelector('[data-purchase="no_answer"]')
  const at = (hash: string) => `${place.url}/ticket/${hash}`
  const opens = (name: string) => (there: Page) => there.getByRole('button', { name }).last().click()
  const visits = [
    { name: 'for sale', url: `${place.url}/e/${slug}`, ready: '#for-sale' },
    { name: 'buying', url: at(`#buy=${slug}`), ready: '[data-key="holds"]' },
    { name: 'voucher', url: at('#voucher'), ready: '#field-voucher', act: opens('Use it') },
    { name: 'unfinished', url: at(''), ready: '[data-unfinished]' },
    { name: 'interrupted', url: unfinished.url(), ready: '[data-purchase="no_answer"]' },
    { name: 'ticket without a name', url: token, ready: '.actions' },
    { name: 'its code, big', url: token, ready: '.actions', act: opens('Show the code big') },
    { name: 'its exchange', url: token, ready: '.actions', act: opens('Turn into') },
    { name: 'its paper', url: token, ready: '.actions', act: opens('Print it') },
    { name: 'backup', url: at('#backup'), ready: '[data-backup]', act: opens('Save the backup') },
  ]
  const findings: string[] = []
  for (const visit of visits) findings.push(...(await check(holder, visit)))
  await holder.unroute('**/v1/sign_blinded')
  const done = { name: 'finished', url: unfinished.url(), ready: '[data-purchase="done"] .stub' }
  findings.push(...(await check(holder, done)))
  await holder.close()
  const organiser = await open(browser, { ...options, storageState: await desk.context().storageState() })
  const sales = `${place.url}/desk/events/${slug}/sales`
  for (const visit of [
    { name: 'sales', url: sales, ready: '[data-keys]' },
    { name: 'vouchers', url: sales, ready: '[data-keys]', act: opens('Make vouchers') },
  ])
    findings.push(...(await check(organiser, visit)))
  await organiser.close()
  must(findings.length === 0, `nothing for axe to find: ${findings.join('; ')}`)
}
