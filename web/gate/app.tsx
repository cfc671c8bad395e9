// Which of the gate's screens is on.
import { lazy } from '../lib/ui/lazy.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { tryServer, useThisTab } from './actions.ts'
import { offeredCode } from './pairing-code.ts'
import { connection, stage } from './state.ts'
import { t } from './texts.ts'

// Each comes when it is needed; the scanning screen at once, beside the station that it waits for anyway.
const ScanScreen = lazy(() => import('./scan-screen.tsx').then(page => page.ScanScreen))
void ScanScreen.preload()
const PairingScreen = lazy(() => import('./pairing-screen.tsx').then(page => page.PairingScreen))
const RemovedScreen = lazy(() => import('./pairing-screen.tsx').then(page => page.RemovedScreen))
const GateChoice = lazy(() => import('./gate-choice.tsx').then(page => page.GateChoice))

export function App() {
  if (offeredCode.value && stage.value !== 'starting') return <PairingScreen />
  switch (stage.value) {
    case 'starting':
      return <Starting />
    case 'unpaired':
      return <PairingScreen />
    case 'removed':
      return <RemovedScreen />
    case 'choose_gate':
      return <GateChoice />
    case 'other_tab':
      return <OtherTab />
    case 'scanning':
      return <ScanScreen />
  }
}

function Starting() {
  return (
    <main class="plain-screen">
      <span class="wordmark">
        <Wordmark />
      </span>
      <h1 class="hidden-text">{t('gate_app')}</h1>
      {connection.value === 'offline' ? (
        <div class="notice bad stack" role="alert">
          <p>{t('no_answer')}</p>
          <button class="button quiet" type="button" onClick={tryServer}>
            {t('try_again')}
          </button>
        </div>
      ) : (
        <p class="waiting">{t('starting')}</p>
      )}
    </main>
  )
}

function OtherTab() {
  return (
    <main class="plain-screen">
      <span class="wordmark">
        <Wordmark />
      </span>
      <div class="card stack">
        <h1>{t('other_tab')}</h1>
        <p>{t('other_tab_hint')}</p>
        <button class="button wide huge" type="button" onClick={useThisTab}>
          {t('other_tab_use')}
        </button>
      </div>
    </main>
  )
}
