// A named step of a run, what must hold in it, and what it waits for.
import type { Page } from 'playwright-core'

const PATIENCE_MS = 15_000

export async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  const began = Date.now()
  try {
    const result = await run()
    console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
    return result
  } catch (error) {
    console.log(`FAIL  ${name}`)
    throw error
  }
}

export function must(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`)
}

/** Waits until the page answers yes. `page.waitForFunction` cannot: it takes the promise itself for a yes. */
export async function until<A>(page: Page, asked: (given: A) => Promise<boolean>, given: A): Promise<void> {
  const late = Date.now() + PATIENCE_MS
  while (!(await page.evaluate(asked as (given: unknown) => Promise<boolean>, given)))
    must(Date.now() < late, `soon, in ${page.url()}: ${asked}`)
}

/** All of the page's files are kept: from here it opens without a network. */
export const kept = (page: Page): Promise<void> =>
  until(page, async () => Boolean((await navigator.serviceWorker.getRegistration())?.active), undefined)
