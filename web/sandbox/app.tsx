// The sandbox page: who is asking, the tabs, and the panel that the address names.
import { signal } from '@preact/signals'
import type { ComponentType } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { loadCore } from '../lib/core/package.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { SkipLink } from '../lib/ui/skip-link.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { door, open } from './ask.ts'
import { run } from './checklist-run.ts'
import { closeAll } from './gates.ts'
import { Overview } from './overview.tsx'
import { session, wipe } from './session.ts'
import { t } from './texts.ts'

const Tickets = lazy(() => import('./tickets.tsx').then(panel => panel.Tickets))
const Edge = lazy(() => import('./edge.tsx').then(panel => panel.Edge))
const Merkle = lazy(() => import('./merkle.tsx').then(panel => panel.Merkle))
const Activity = lazy(() => import('./activity.tsx').then(panel => panel.Activity))
const Checklist = lazy(() => import('./checklist-view.tsx').then(panel => panel.Checklist))

/** Fetches every panel and the core ahead of need: the network may be off when they are wanted. */
export const preload = (): Promise<unknown> =>
  Promise.all([Tickets, Edge, Merkle, Activity, Checklist].map(panel => panel.preload()).concat(loadCore()))

type Tab = [name: string, label: string, panel: ComponentType]
const overview: Tab = ['overview', t('tab_overview'), Overview]
const tabs: Tab[] = [
  overview,
  ['tickets', t('tab_tickets'), Tickets],
  ['edge', t('tab_edge'), Edge],
  ['merkle', t('tab_merkle'), Merkle],
  ['activity', t('tab_activity'), Activity],
  ['checklist', t('tab_checklist'), Checklist],
]

/** Panels that show a heading of the first rank themselves. */
const ownTitle = new Set(['overview', 'checklist'])

const named = () => tabs.find(([name]) => `#${name}` === location.hash)?.[0] ?? 'overview'
const current = signal(named())
addEventListener('hashchange', () => {
  current.value = named()
})

export function App() {
  return (
    <>
      <SkipLink text={t('skip')} to="panel" />
      <header class="bar">
        <a class="wordmark" href="/">
          <Wordmark />
        </a>
        <span class="label">{t('sandbox')}</span>
        {door.value.state === 'open' && <SessionLine />}
      </header>
      {door.value.state === 'open' && <Tabs />}
      <main>
        <Inside />
      </main>
    </>
  )
}

function SessionLine() {
  const [cleared, setCleared] = useState(false)
  const clear = async () => {
    closeAll()
    wipe()
    await open()
    setCleared(true)
    setTimeout(() => setCleared(false), 4_000)
  }
  return (
    <>
      <dl class="who small">
        <div>
          <dt class="soft">{t('session')}</dt>
          <dd class="mono" data-session>
            {session.value.id}
          </dd>
        </div>
        <div class="who-key">
          <dt class="soft">{t('key_label')}</dt>
          <dd>{t('key_value')}</dd>
        </div>
      </dl>
      <button
        class="button quiet tight"
        type="button"
        disabled={run.value.state === 'running'}
        onClick={() => void clear()}
      >
        {t('clear')}
      </button>
      <span class="hidden-text" role="status">
        {cleared && t('cleared')}
      </span>
    </>
  )
}

const steps: Record<string, (at: number) => number> = {
  ArrowRight: at => (at + 1) % tabs.length,
  ArrowLeft: at => (at + tabs.length - 1) % tabs.length,
  Home: () => 0,
  End: () => tabs.length - 1,
}

function Tabs() {
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent, at: number) => {
    const next = steps[event.key]?.(at)
    const name = next === undefined ? undefined : tabs[next]?.[0]
    if (name === undefined) return
    event.preventDefault()
    location.hash = name
    list.current?.querySelector<HTMLElement>(`#tab-${name}`)?.focus()
  }
  return (
    <div class="tabs-frame">
      <div class="tabs" role="tablist" aria-label={t('panels')} ref={list}>
        {tabs.map(([name, label], at) => (
          <a
            key={name}
            id={`tab-${name}`}
            href={`#${name}`}
            role="tab"
            aria-selected={name === current.value}
            aria-controls="panel"
            tabIndex={name === current.value ? 0 : -1}
            onKeyDown={event => move(event, at)}
          >
            {label}
          </a>
        ))}
      </div>
    </div>
  )
}

function Inside() {
  const state = door.value.state
  if (state === 'opening') return <p class="waiting">{t('opening')}</p>
  if (state === 'closed') {
    return (
      <div class="card stack narrow">
        <h1>{t('closed')}</h1>
        <p>{t('closed_hint')}</p>
        <pre class="command">admit serve --sandbox</pre>
        <p class="soft">{t('closed_more')}</p>
      </div>
    )
  }
  if (state === 'no_answer') {
    return (
      <div class="notice bad stack" role="alert">
        <p>{t('no_answer')}</p>
        <div>
          <button class="button quiet" type="button" onClick={() => void open()}>
            {t('try_again')}
          </button>
        </div>
      </div>
    )
  }
  const [, label, Panel] = tabs.find(([name]) => name === current.value) ?? overview
  return (
    <div id="panel" role="tabpanel" tabIndex={-1} aria-labelledby={`tab-${current.value}`}>
      {ownTitle.has(current.value) || <h1 class="hidden-text">{label}</h1>}
      {/* A new session is a new panel; only the checklist outlives the session that it clears. */}
      <Panel key={Panel === Checklist ? 'checklist' : session.value.id + current.value} />
    </div>
  )
}
