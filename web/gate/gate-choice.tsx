// Which gate this device stands at: one big button each.
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { chooseGate, tryServer } from './actions.ts'
import { t } from './pairing-texts.ts'
import { unlockSound } from './sound.ts'
import { gateNumber, setup } from './state.ts'

export function GateChoice() {
  const gates = setup.value?.gates ?? []
  return (
    <main class="plain-screen">
      <span class="wordmark">
        <Wordmark />
      </span>
      <div class="stack">
        <h1>{t('choose_gate')}</h1>
        <p class="soft">{gates.length > 0 ? t('choose_gate_hint') : t('no_gates')}</p>
        {gates.length === 0 && (
          <button class="button quiet" type="button" onClick={() => tryServer()}>
            {t('try_again')}
          </button>
        )}
        {gates.map(gate => (
          <button
            key={gate.number}
            class={`button huge wide ${gate.number === gateNumber.value ? '' : 'quiet'}`}
            type="button"
            onClick={() => {
              unlockSound()
              chooseGate(gate.number)
            }}
          >
            {gate.name} {!gate.open && <span class="tag warn">{t('gate_closed')}</span>}
          </button>
        ))}
      </div>
    </main>
  )
}
