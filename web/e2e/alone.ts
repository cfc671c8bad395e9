// One part of the browser tests by itself: `npm run e2e:…`, against the real server that the environment names, or the mock.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { findPlace, launch, type Place, trouble } from './place.ts'
import { must } from './step.ts'

/** Leaves a picture of every open page when something fails. */
export async function walkAlone(
  name: string,
  walk: (browser: Browser, place: Place) => Promise<void>,
): Promise<void> {
  const place = await findPlace()
  const browser = await launch()
  try {
    await walk(browser, place)
    must(trouble.length === 0, `no uncaught error and no CSP refusal, but: ${trouble.join(' | ')}`)
  } catch (error) {
    console.error(error)
    if (trouble.length > 0) console.error(trouble.join('\n'))
    const pages = browser.contexts().flatMap(context => context.pages())
    for (const [index, page] of pages.entries()) {
      const path = join(process.env.ADMIT_E2E_OUT ?? tmpdir(), `failed-${name}-${index}.png`)
      await page.screenshot({ path, fullPage: true }).catch(() => undefined)
    }
    process.exitCode = 1
  } finally {
    await browser.close()
    await place.close()
  }
}
