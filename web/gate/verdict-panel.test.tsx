// @vitest-environment happy-dom
// The panel shows verdicts in the live region, and everything in them as text.
import { render } from 'preact'
import { act } from 'preact/test-utils'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Verdict } from '../lib/api/types.ts'
import type { Scan, ScanState } from './scan.ts'
import { shown } from './state.ts'
import { VerdictPanel } from './verdict-panel.tsx'

const verdict = (part: Partial<Verdict>): Verdict => ({
  verdict: 'admit',
  reason: null,
  message: 'Welcome.',
  scan_id: 'x',
  ticket: { number: '4F7K-92MM-QX', type_number: 1, type_name: 'Standard' },
  name: null,
  use: 1,
  max_uses: 1,
  uses_remaining: 0,
  first_admitted_at: null,
  first_gate_name: null,
  at: '2026-11-21T18:00:00Z',
  repeated: false,
  undo_until: null,
  ...part,
})
const scan = (state: ScanState): Scan => ({
  scanId: 'x',
  code: '',
  gate: 1,
  at: '2026-11-21T18:00:00Z',
  state,
  resumed: false,
})
const answered = (part: Partial<Verdict>) => scan({ kind: 'answered', verdict: verdict(part) })

let root: HTMLElement
const draw = (value: Scan | null) =>
  act(() => {
    shown.value = value
    render(<VerdictPanel />, root)
  })
const alert = () => root.querySelector('[role=alert]')?.textContent ?? ''

beforeEach(() => {
  root = document.body.appendChild(document.createElement('div'))
})
afterEach(() => {
  render(null, root)
  root.remove()
})

it('says of a ticket without a name only what it is and how long it is good', () => {
  const ticket = {
    ...{ number: '4F7K-92MM-QX', type_number: 3, type_name: 'Day ticket' },
    ...{ anonymous: true, expires_at: '2026-11-21T18:42:30Z' },
  }
  draw(answered({ ticket, use: 2, max_uses: 5, uses_remaining: 3 }))
  expect(alert()).toBe('AdmitDay ticket · expires in 42 min')
})

it('does not say when a ticket expires that does not tell', () => {
  const ticket = { number: '4F7K-92MM-QX', type_number: 3, type_name: 'Day ticket', anonymous: true }
  draw(answered({ ticket }))
  expect(alert()).toBe('AdmitDay ticket')
})

it('says nothing in the live region before an answer', () => {
  draw(null)
  expect(alert()).toBe('')
  draw(scan({ kind: 'asking' }))
  expect(alert()).toBe('')
  expect(root.querySelector('.verdict')?.className).not.toContain('admit')
})

it('says ADMIT only for an answer that admits', () => {
  draw(answered({}))
  expect(alert()).toContain('Admit')
  expect(root.querySelector('.verdict')?.getAttribute('data-tone')).toBe('admit')
  draw(scan({ kind: 'server_only', tries: 3 }))
  expect(alert()).toContain('Only with a connection')
  expect(root.querySelector('.verdict')?.getAttribute('data-tone')).toBe('wait')
})

it('puts the reason before who, when and where', () => {
  draw(
    answered({
      verdict: 'refuse',
      reason: 'already_used',
      message: 'This ticket has already been used to enter.',
      first_admitted_at: '2026-11-21T17:42:10Z',
      first_gate_name: 'North gate',
      name: 'Amina Diallo',
    }),
  )
  expect(alert()).toMatch(
    /Already used.*already been used.*First used 17:42:10 at North gate.*Amina Diallo.*4F7K-92MM-QX/,
  )
})

it('shows what a ticket says as text, never as a page', () => {
  draw(
    answered({
      name: '<img src=x onerror=alert(1)>',
      message: '<script>alert(1)</script>',
      verdict: 'refuse',
      reason: 'new_reason',
    }),
  )
  expect(root.querySelector('img, script, a')).toBeNull()
  expect(alert()).toContain('<img src=x onerror=alert(1)>')
  expect(alert()).toContain('new reason')
})

it('says EXIT and what became of it in words, for whoever leaves', () => {
  const leaving = (state: ScanState): Scan => ({ ...scan(state), direction: 'exit' })
  draw(leaving({ kind: 'answered', verdict: verdict({ direction: 'exit', max_uses: 4 }) }))
  expect(alert()).toMatch(/Exit.*Left/)
  expect(alert()).not.toContain('Admit')
  expect(alert()).not.toContain('Entry')
  draw(leaving({ kind: 'let_out', why: 'offline' }))
  expect(alert()).toContain('No connection: let them out, it is not recorded.')
  const refused = {
    direction: 'exit',
    verdict: 'refuse',
    reason: 'not_inside',
    message: 'Nobody is in.',
  } as const
  draw(leaving({ kind: 'answered', verdict: verdict(refused) }))
  expect(alert()).toMatch(/Exit.*Not inside.*Nobody is in/)
})

it('counts the entries of a ticket for several', () => {
  draw(answered({ use: 2, max_uses: 4, uses_remaining: 2 }))
  expect(alert()).toContain('Entry 2 of 4, 2 entries left')
  draw(answered({ use: 9, max_uses: 0, uses_remaining: null }))
  expect(alert()).toContain('Entry 9')
})

it('says that the device decided, below who and what', () => {
  const local = {
    ...{ reason: null, message: '', maxUses: 1, digest: null, first: null },
    ticket: { number: '4F7K-92MM-QX', type_number: 1, type_name: 'Standard' },
  }
  const decided = { kind: 'decided', verdict: 'admit', use: 1, usesRemaining: 0, local, name: null } as const
  draw(scan(decided))
  expect(alert()).toMatch(/Admit.*4F7K-92MM-QX.*without the server/)
  draw(scan({ kind: 'cannot_keep' }))
  expect(root.querySelector('.verdict')?.getAttribute('data-tone')).toBe('refuse')
  expect(alert()).toContain('Cannot keep records')
})

it('names the first entry of this device when it refuses a second', () => {
  const local = {
    ...{ reason: 'already_used', message: 'Used.', maxUses: 1, digest: null, ticket: null },
    first: { at: '2026-11-21T17:42:10Z', gate: 9 },
  }
  draw(scan({ kind: 'judged', local }))
  expect(alert()).toMatch(/Already used.*First used 17:42:10/)
})
