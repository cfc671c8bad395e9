// The scanning screen: status on top, camera, the big verdict, and three buttons within reach of a thumb.
import { useEffect, useState } from 'preact/hooks'
import { updateWaiting } from '../lib/pwa/offline.ts'
import { lazy } from '../lib/ui/lazy.tsx'
import { keepAwake } from '../lib/ui/wake-lock.ts'
import { listenToReaders } from './keyboard.ts'
import { Icon } from './shapes.tsx'
import { soundBlocked, soundOn, unlockSound } from './sound.ts'
import {
  connection,
  counters,
  gateClosed,
  gateName,
  lastAdmit,
  serverNow,
  setup,
  shown,
  softNotice,
  undo,
  undoBusy,
  waitingCount,
} from './station.ts'
import { plural, t } from './texts.ts'
import { VerdictPanel } from './verdict-panel.tsx'

// Comes with its decoder a moment after the first paint; hand scanners and typing work from the start.
const CameraView = lazy(() => import('./camera-view.tsx').then(page => page.CameraView))
void CameraView.preload()

// Loaded right after the start, so that they are there when the network is not.
const ManualEntry = lazy(() => import('./manual-entry.tsx').then(page => page.ManualEntry))
const Menu = lazy(() => import('./menu.tsx').then(page => page.Menu))

export function ScanScreen() {
  const [open, setOpen] = useState<'menu' | 'entry' | null>(null)
  const scanId = shown.value?.scanId
  // A verdict must be seen, whatever is open above it.
  useEffect(() => {
    if (scanId) setOpen(null)
  }, [scanId])
  useEffect(() => void Promise.all([ManualEntry.preload(), Menu.preload()]), [])
  useEffect(keepAwake, [])
  useEffect(listenToReaders, [])
  return (
    // Any tap unlocks the sound; nobody should have to look for a switch.
    <div class="station" onPointerDown={unlockSound}>
      <h1 class="hidden-text">
        {t('gate_app')}: {gateName.value}
      </h1>
      <StatusLine onMenu={() => setOpen('menu')} />
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
      {open === 'menu' && <Menu onClose={() => setOpen(null)} />}
    </div>
  )
}

function StatusLine({ onMenu }: { onMenu: () => void }) {
  const battery = useBattery()
  const state = connection.value
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
        <span class="count admit-count">{plural('admitted', counters.value.admitted)}</span>
        <span class="count">{plural('refused', counters.value.refused)}</span>
        {waitingCount.value > 0 && <strong>{plural('waiting_scans', waitingCount.value)}</strong>}
        <span class="device-name" dir="auto">
          {setup.value?.device.name}
        </span>
        {battery !== null && <span>{t('battery', { percent: battery })}</span>}
        {soundBlocked.value && soundOn.value && (
          <button class="chip" type="button" onClick={unlockSound}>
            <Icon name="sound" />
            {t('sound_blocked')}
          </button>
        )}
      </div>
    </header>
  )
}

type Battery = EventTarget & { level: number }

function useBattery(): number | null {
  const [level, setLevel] = useState<number | null>(null)
  useEffect(() => {
    let battery: Battery | null = null
    const look = () => battery && setLevel(Math.round(battery.level * 100))
    const ask = (navigator as Navigator & { getBattery?: () => Promise<Battery> }).getBattery
    ask?.call(navigator).then(
      found => {
        battery = found
        found.addEventListener('levelchange', look)
        look()
      },
      () => undefined,
    )
    return () => battery?.removeEventListener('levelchange', look)
  }, [])
  return level
}

function UndoButton() {
  const [now, setNow] = useState(serverNow())
  const verdict = lastAdmit.value
  useEffect(() => {
    setNow(serverNow())
    if (!verdict?.undo_until) return
    const timer = setInterval(() => setNow(serverNow()), 1_000)
    return () => clearInterval(timer)
  }, [verdict])
  const left = verdict?.undo_until ? Math.ceil((Date.parse(verdict.undo_until) - now) / 1_000) : 0
  const possible = verdict !== null && left > 0
  return (
    <button
      class="button quiet thumb"
      type="button"
      disabled={!possible || undoBusy.value}
      onClick={() => verdict && void undo(verdict.scan_id)}
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
