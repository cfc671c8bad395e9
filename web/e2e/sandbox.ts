// The sandbox page in a real browser: the checklist with the network off for its offline step, every panel, keyboard, clearing.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { check, type Visit } from './accessibility.ts'
import { walkAlone } from './alone.ts'
import { open, type Place } from './place.ts'
import { must, step } from './step.ts'

const sizes = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true },
  desktop: { viewport: { width: 1366, height: 850 } },
}
const panels = ['overview', 'tickets', 'edge', 'merkle', 'activity', 'checklist']

const press = (page: Page, name: string, within = 'body') =>
  page.locator(within).getByRole('button', { name, exact: true }).click()

const show = async (page: Page, panel: string) => {
  await page.click(`#tab-${panel}`)
  await page.waitForSelector(`#panel[aria-labelledby="tab-${panel}"]`)
}

const sessionOf = (page: Page) => page.locator('[data-session]').textContent()

/** The operation that a button starts, once its answer is shown. */
const done = (page: Page, operation: string, status: number | '' = '') =>
  page.waitForSelector(`.exchange[data-operation="${operation}"][data-status="${status}"]`)

/** A panel must not be wider than the screen. */
async function fits(page: Page, panel: string): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  must(over <= 0, `${panel} as wide as the screen, not ${over} pixels wider`)
}

async function keyboard(page: Page): Promise<void> {
  await page.focus('#tab-overview')
  for (const panel of [...panels.slice(1), 'overview']) {
    await page.keyboard.press('ArrowRight')
    await page.waitForSelector(`#tab-${panel}[aria-selected="true"]:focus`)
    must(new URL(page.url()).hash === `#${panel}`, `the address of ${panel}`)
    await fits(page, panel)
  }
  await page.keyboard.press('End')
  await page.waitForSelector('#tab-checklist:focus')
  await page.keyboard.press('Home')
  await page.waitForSelector('#tab-overview:focus')
  await page.waitForSelector('#panel[aria-labelledby="tab-overview"] .callout a')
  must((await page.locator('[role=tab][tabindex="0"]').count()) === 1, 'one tab in the order of the Tab key')
  // One stop for the tabs, the next is inside the panel.
  await page.keyboard.press('Tab')
  must(
    await page.evaluate(() => document.activeElement?.closest('#panel') !== null),
    'the panel after the tabs',
  )
}

async function checklist(page: Page): Promise<void> {
  await show(page, 'checklist')
  const before = await sessionOf(page)
  await page.getByLabel('Stop before and after step 8').check()
  await press(page, 'Run the checklist')
  await page.waitForSelector('[data-waiting="go_offline"]', { timeout: 60_000 })
  await page.context().setOffline(true)
  await page.keyboard.press('Enter')
  await page.waitForSelector('[data-waiting="go_online"]')
  const offline = await page.locator('[data-step="8"]').textContent()
  must(offline?.includes('the network was off'), `step 8 without a network: ${offline}`)
  await page.context().setOffline(false)
  await press(page, 'Go on')
  await page.waitForSelector('[data-run="done"]', { timeout: 60_000 })
  const failed = await page.locator('[data-state="fail"]').allTextContents()
  must(failed.length === 0, `no step to fail: ${failed.join(' | ')}`)
  must((await page.locator('[data-state="pass"]').count()) === 14, 'fourteen steps to pass')
  must((await sessionOf(page)) !== before, 'a new session after the last step')
  await fits(page, 'the finished checklist')
}

async function tickets(page: Page): Promise<void> {
  await show(page, 'tickets')
  await press(page, 'Mint')
  await done(page, 'generate_ticket', 201)
  await page.locator('.proof-line[data-holds="true"]').first().waitFor()
  await page.selectOption('#field-hand_gate', 'vip-north')
  await press(page, 'Verify')
  await page.getByText('Denied: entry_point_denied. The signature is right.').waitFor()
  await page.selectOption('#field-hand_gate', 'main-gate')
  await press(page, 'Redeem')
  await done(page, 'redeem_ticket', 200)
  await press(page, 'Redeem')
  await done(page, 'redeem_ticket', 409)
  await page.getByText('Denied: uses_exhausted.').waitFor()
  await press(page, 'Status')
  await done(page, 'ticket_status', 200)
  await press(page, 'Revoke')
  await done(page, 'revoke_by_program', 200)
  await page.locator('[data-operation="revoke_by_program"] summary').last().click()
  must(
    (await page.locator('[data-operation="revoke_by_program"] pre').last().textContent())?.includes(
      '"revoked": true',
    ),
    'the answer to read',
  )
  await fits(page, 'tickets')
}

async function edge(page: Page): Promise<void> {
  const context = page.context()
  await show(page, 'edge')
  await press(page, 'Issue')
  await done(page, 'edge_issue', 201)
  await press(page, 'Enrol gates A and B')
  await page.locator('[data-gate="gate-b"]').waitFor()
  await context.setOffline(true)
  await page.getByText('The network is off.').waitFor()
  await press(page, 'Consume', '[data-gate="gate-a"]')
  await done(page, 'consume')
  await page.locator('[data-operation="consume"]').getByText('Allowed.').waitFor()
  await press(page, 'Tell gate B')
  await page.getByText('Learnt 1 new entries.').waitFor()
  await press(page, 'Consume', '[data-gate="gate-b"]')
  await page.getByText('so the signature was not looked at').waitFor()
  await context.setOffline(false)
  await page.getByText('The network is on.').waitFor()
  await press(page, 'Sync', '[data-gate="gate-a"]')
  await page.getByText('1 stored, 0 known before, 0 in conflict.').waitFor()
  await press(page, 'Consume', '[aria-labelledby="edge-server-title"]')
  await done(page, 'edge_consume', 409)
  // The gates are built again after a reload, with all they knew.
  await page.reload()
  await page.locator('[data-gate="gate-a"]').waitFor()
  await press(page, 'Verify', '[data-gate="gate-a"]')
  await page.locator('[data-operation="verify"]').getByText('Denied: proof_digest_spent.').waitFor()
  // Both admit the next one without knowing of each other: kept as a conflict.
  await press(page, 'Issue')
  await page.locator('[data-operation="edge_issue"]').waitFor()
  for (const gate of ['gate-a', 'gate-b']) {
    await press(page, 'Consume', `[data-gate="${gate}"]`)
    await page.locator('[data-operation="consume"]').getByText('Allowed.').waitFor()
    await press(page, 'Sync', `[data-gate="${gate}"]`)
    await done(page, 'spent_sync', 200)
  }
  await page.getByText('1 in conflict.').waitFor()
  await press(page, 'Show conflicts')
  await done(page, 'edge_conflicts', 200)
  await press(page, 'Let both gates learn it')
  await done(page, 'learn')
  await fits(page, 'edge')
}

async function merkle(page: Page): Promise<void> {
  await show(page, 'merkle')
  for (const log of ['sandbox-event', 'sandbox-edge']) {
    await press(page, 'Check that it only grew', `[data-log="${log}"]`)
    await page.locator(`[data-log="${log}"] [data-holds="true"]`).getByText('It only grew').waitFor()
  }
  await page.waitForSelector('[data-verdict="true"]')
  await page.waitForSelector('.tree .root:not(.wrong)')
  for (const part of ['leaf', 'path', 'index', 'root', 'checkpoint']) {
    await page.selectOption('#field-tamper', part)
    await press(page, 'Flip one bit')
    await page.waitForSelector('[data-verdict="false"]')
    await press(page, 'Undo the change')
    await page.waitForSelector('[data-verdict="true"]')
  }
  await fits(page, 'merkle')
}

async function activity(page: Page): Promise<void> {
  await show(page, 'activity')
  const count = Number(await page.locator('[data-count]').getAttribute('data-count'))
  must(count > 10, 'the operations of before')
  must((await page.locator('.log tbody tr').count()) === count, 'a row for each')
  must((await page.locator('.bars meter').count()) > 5, 'a bar for each kind of operation')
  await fits(page, 'activity')
}

async function clearing(page: Page): Promise<void> {
  const before = await sessionOf(page)
  await press(page, 'Clear session')
  await page.getByText('Nothing yet.').waitFor()
  const cleared = await sessionOf(page)
  must(cleared !== before, 'another session')
  await page.reload()
  await page.getByText('Nothing yet.').waitFor()
  await show(page, 'tickets')
  must((await page.inputValue('#field-token')) === '', 'no ticket after clearing')
  const kept = await page.evaluate(() => [Object.keys(localStorage), document.cookie])
  must(!JSON.stringify(kept).includes('sandbox'), `nothing kept elsewhere: ${JSON.stringify(kept)}`)
}

async function accessible(browser: Browser, place: Place): Promise<void> {
  const url = `${place.url}/sandbox/`
  const minted = async (page: Page) => {
    await press(page, 'Mint')
    await done(page, 'generate_ticket', 201)
    await page.locator('details.body').last().locator('summary').click()
  }
  const sweep = async (page: Page) => {
    await press(page, 'Sweep the endpoints')
    await page.getByText('8 of 8 answered').waitFor()
  }
  const visits: Visit[] = [
    { name: 'sandbox overview', url, ready: '.callout', act: sweep },
    { name: 'sandbox tickets', url: `${url}#tickets`, ready: '#field-token', act: minted },
    {
      name: 'sandbox edge',
      url: `${url}#edge`,
      ready: '#field-edge_token',
      act: async page => {
        await press(page, 'Enrol gates A and B')
        await page.locator('[data-gate="gate-b"]').waitFor()
        await press(page, 'Issue')
        await done(page, 'edge_issue', 201)
      },
    },
    {
      name: 'sandbox merkle',
      url: `${url}#tickets`,
      ready: '#field-token',
      act: async page => {
        await minted(page)
        await show(page, 'merkle')
        await page.waitForSelector('.tree')
        await press(page, 'Flip one bit')
        await page.waitForSelector('[data-verdict="false"]')
      },
    },
    {
      name: 'sandbox activity',
      url: `${url}#tickets`,
      ready: '#field-token',
      act: async page => {
        await minted(page)
        await press(page, 'Verify')
        await show(page, 'activity')
      },
    },
    {
      name: 'sandbox checklist',
      url: `${url}#checklist`,
      ready: '.steps',
      act: async page => {
        await press(page, 'Run the checklist')
        await page.waitForSelector('[data-run="done"]', { timeout: 60_000 })
      },
    },
  ]
  const findings: string[] = []
  for (const { viewport } of Object.values(sizes)) {
    const context = await open(browser, { bypassCSP: true, viewport })
    for (const visit of visits) findings.push(...(await check(context, visit)))
    await context.close()
  }
  must(findings.length === 0, `axe:\n${findings.join('\n')}`)
}

async function closed(page: Page, place: Place): Promise<void> {
  await page.goto(`${place.url}/sandbox/`)
  await page.getByText('The sandbox is closed on this server').waitFor()
  await page.getByText('admit serve --sandbox').waitFor()
}

async function inSize(context: BrowserContext, place: Place, size: string): Promise<void> {
  const page = await context.newPage()
  await page.goto(`${place.url}/sandbox/`)
  await page.waitForSelector('#panel')
  const named = (name: string) => `sandbox, ${size}: ${name}`
  await step(named('keyboard through the tabs'), () => keyboard(page))
  await step(named('the checklist, offline where it says so'), () => checklist(page))
  await step(named('tickets'), () => tickets(page))
  await step(named('edge gates in the browser, also offline'), () => edge(page))
  await step(named('logs only grow, and changed proofs fail'), () => merkle(page))
  await step(named('activity'), () => activity(page))
  await step(named('clearing wipes the session'), () => clearing(page))
  await page.close()
}

/** The mock has no sandbox, so that only the closed door is seen there. */
export async function walkSandbox(browser: Browser, place: Place): Promise<void> {
  if (place.mock) {
    const page = await (await open(browser, sizes.phone)).newPage()
    await step('sandbox: closed, and how to open it', () => closed(page, place))
    return
  }
  for (const [size, options] of Object.entries(sizes)) {
    const context = await open(browser, options)
    await inSize(context, place, size)
    await context.close()
  }
  await step('sandbox: axe on every panel, light and dark', () => accessible(browser, place))
}

/** The sandbox alone: `npm run e2e:sandbox`, for a server that was started with `--sandbox`. */
export const main = () => walkAlone('sandbox', walkSandbox)
