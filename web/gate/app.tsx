// Which of the gate's screens is on.
import { lazy } from '../lib/ui/lazy.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { offeredCode } from './pairing-code.ts'
import { ScanScreen } from './scan-screen.tsx'
import { connection, refreshSetup, stage } from './station.ts'
import { t } from './texts.ts'

// Seen once a shift: the scanning screen comes first, and is what a first visit waits for.
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
          <button class="button quiet" type="button" onClick={() => void refreshSetup()}>
            {t('try_again')}
          </button>
        </div>
      ) : (
        <p class="waiting">{t('starting')}</p>
      )}
    </main>
  )
}
