// The scanning screen: status on top, camera, the big verdict, and three buttons within reach of a thumb.
import { useEffect, useState } from 'preact/hooks'
import { updateWaiting } from '../lib/pwa/offline.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { keepAwake } from '../lib/ui/wake-lock.ts'
import { endRehearsal, undo } from './actions.ts'
import { battery } from './battery.ts'
import { listenToReaders } from './keyboard.ts'
import { ReadyLine, Warning } from './ready-line.tsx'
import { Icon } from './shapes.tsx'
import { soundBlocked, soundOn, unlockSound } from './sound.ts'
import {
  challenge,
  connection,
  counters,
  countsExits,
  exitCounters,
  gateClosed,
  gateName,
  lastAdmit,
  linkText,
  notices,
  rehearsalCounters,
  rehearsing,
  serverNow,
  setup,
  shown,
  softNotice,
  undoBusy,
  waitingCount,
} from './state.ts'
import { plural, t } from './texts.ts'
import { VerdictPanel } from './verdict-panel.tsx'

// Comes with its decoder a moment after the first paint; hand scanners and typing work from the start.
const CameraView = lazy(() => import('./camera-view.tsx').then(page => page.CameraView))
void CameraView.preload()

// Loaded right after the start, so that they are there when the network is not.
const ManualEntry = lazy(() => import('./manual-entry.tsx').then(page => page.ManualEntry))
const Menu = lazy(() => import('./menu.tsx').then(page => page.Menu))
const Diagnostics = lazy(() => import('./diagnostics.tsx').then(page => page.Diagnostics))
const DoubleNotice = lazy(() => import('./double-notice.tsx').then(page => page.DoubleNotice))
const ProofRequest = lazy(() => import('./proof-request.tsx').then(page => page.ProofRequest))
const Exchange = lazy(() => import('./exchange-screen.tsx').then(page => page.ExchangeScreen))
const later = [ManualEntry, Menu, Diagnostics, DoubleNotice, ProofRequest]

type Panel = 'menu' | 'entry' | 'diagnostics' | 'exchange'

export function ScanScreen() {
  const [open, setOpen] = useState<Panel | null>(null)
  const scanId = shown.value?.scanId
  // A verdict must be seen, whatever is open above it.
  useEffect(() => {
    if (scanId) setOpen(null)
  }, [scanId])
  const offered = linkText.value
  useEffect(() => {
    if (offered) setOpen('exchange')
  }, [offered])
  useEffect(() => void Promise.all(later.map(page => page.preload())), [])
  useEffect(keepAwake, [])
  useEffect(listenToReaders, [])
  return (
    // Any tap unlocks the sound; nobody should have to look for a switch.
    <div class="station" data-mode={rehearsing.value ? 'rehearsal' : 'real'} onPointerDown={unlockSound}>
      <h1 class="hidden-text">
        {t('gate_app')}: {gateName.value}
      </h1>
      <div class="station-head">
        {rehearsing.value && <RehearsalBanner />}
        {countsExits.value && <ExitBanner />}
        <StatusLine onMenu={() => setOpen('menu')} />
        {!rehearsing.value && <Warning onMore={() => setOpen('diagnostics')} />}
      </div>
      <main class="work">
        <div class="camera-place">
          <CameraView />
        </div>
        <VerdictPanel />
      </main>
      <div class="soft-notice" role="status">
        {softNotice.value && <span>{softNotice.value}</span>}
      </div>
      <footer class="thumbs">
        <UndoButton />
        <button class="button quiet thumb" type="button" onClick={() => setOpen('entry')}>
          <Icon name="keys" />
          {t('enter_code')}
        </button>
      </footer>
      {open === 'entry' && <ManualEntry onClose={() => setOpen(null)} />}
      {open === 'menu' && <Menu onClose={() => setOpen(null)} onDiagnostics={() => setOpen('diagnostics')} />}
      {open === 'diagnostics' && (
        <Diagnostics onClose={() => setOpen(null)} onExchange={() => setOpen('exchange')} />
      )}
      {open === 'exchange' && <Exchange onClose={() => setOpen(null)} />}
      {challenge.value && <ProofRequest />}
      {notices.value.length > 0 && !rehearsing.value && <DoubleNotice />}
    </div>
  )
}

function StatusLine({ onMenu }: { onMenu: () => void }) {
  const state = connection.value
  const exits = countsExits.value
  const figures = (exits ? exitCounters : rehearsing.value ? rehearsalCounters : counters).value
  return (
    <header class="status">
      <div class="status-main">
        <span class={`link ${state}`} role="status">
          {state === 'online' ? t('online') : state === 'offline' ? t('offline') : t('connecting')}
        </span>
        <strong class="gate-name" dir="auto">
          {gateName.value}
        </strong>
        {gateClosed.value && <span class="tag warn">{t('gate_closed')}</span>}
        <button class="icon-button" type="button" aria-label={t('menu')} onClick={onMenu}>
          <Icon name="menu" />
          {updateWaiting.value && <span class="dot" />}
        </button>
      </div>
      <div class="status-more numeric">
        <span class="count admit-count">
          {plural(exits ? 'exits_counted' : 'admitted', figures.admitted)}
        </span>
        <span class="count">{plural('refused', figures.refused)}</span>
        {waitingCount.value > 0 && <strong>{plural('waiting_scans', waitingCount.value)}</strong>}
        <span class="device-name" dir="auto">
          {setup.value?.device.name}
        </span>
        {battery.value !== null && <span>{t('battery', { percent: battery.value })}</span>}
        {soundBlocked.value && soundOn.value && (
          <button class="chip" type="button" onClick={unlockSound}>
            <Icon name="sound" />
            {t('sound_blocked')}
          </button>
        )}
      </div>
      <ReadyLine />
    </header>
  )
}

function ExitBanner() {
  return (
    <div class="exit-banner" role="status">
      <strong class="exit-mark">{t('exit')}</strong>
      <span>{t('exit_hint')}</span>
    </div>
  )
}

function RehearsalBanner() {
  return (
    <div class="rehearsal" role="status">
      <strong>{t('rehearsal')}</strong>
      <span>{t('rehearsal_hint')}</span>
      <button class="button quiet tight" type="button" onClick={endRehearsal}>
        {t('rehearsal_end')}
      </button>
    </div>
  )
}

function UndoButton() {
  const [now, setNow] = useState(serverNow())
  const entry = lastAdmit.value
  useEffect(() => {
    setNow(serverNow())
    if (!entry) return
    const timer = setInterval(() => setNow(serverNow()), 1_000)
    return () => clearInterval(timer)
  }, [entry])
  const left = entry ? Math.ceil((Date.parse(entry.undoUntil) - now) / 1_000) : 0
  const possible = entry !== null && left > 0
  return (
    <button
      class="button quiet thumb"
      type="button"
      disabled={!possible || undoBusy.value}
      onClick={() => entry && undo(entry.scanId)}
    >
      <Icon name="undo" />
      <span>
        {undoBusy.value
          ? t('undoing')
          : possible && left <= 120
            ? t('undo_seconds', { seconds: left })
            : t('undo')}
      </span>
    </button>
  )
}
