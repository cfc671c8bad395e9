// The words of the refusals are those of the core.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { reasonTitles } from './reasons.ts'

it('has every reason of the core under its title', () => {
  const source = readFileSync(new URL('../../../crates/admit-core/src/reason.rs', import.meta.url), 'utf8')
  const list = [...source.matchAll(/^ +\w+ = "(\w+)", "([^"]+)",/gm)].map(([, code, title]) => [code, title])
  expect(list.length).toBeGreaterThan(8)
  const ours = Object.entries(reasonTitles).map(([code, title]) => [code, title.toUpperCase()])
  expect(ours.sort()).toEqual(list.sort())
})
