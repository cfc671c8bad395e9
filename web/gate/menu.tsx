// Everything that is set once a shift: gate, camera, appearance, sound; what is kept here; and the way out.
import { useEffect, useRef, useState } from 'preact/hooks'
import { listCameras } from '../lib/camera/camera.ts'
import { takeUpdate, updateWaiting } from '../lib/pwa/offline.ts'
import { preciseTimeIn } from '../lib/time/zone.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { setTheme, type Theme, theme } from '../lib/ui/theme.ts'
import {
  askPersistence,
  chooseGate,
  countExits,
  endRehearsal,
  keepSound,
  startRehearsal,
  syncNow,
  undo,
  unpair,
} from './actions.ts'
import { chooseCamera, wantedCamera } from './camera-choice.ts'
import { plural, t } from './menu-texts.ts'
import './menu.css'
import { askForProof } from './proof-request.tsx'
import { soundAdmit, soundOn, soundRefuse, unlockSound } from './sound.ts'
import {
  exitsChosen,
  gateNumber,
  persisted,
  recents,
  rehearsing,
  rulesOnDevice,
  serverNow,
  setup,
  status,
  undoBusy,
  zone,
} from './state.ts'

const hear = (sound: () => void) => {
  unlockSound()
  sound()
}

type MenuProps = { onClose: () => void; onDiagnostics: () => void }

export function Menu({ onClose, onDiagnostics }: MenuProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [cameras, setCameras] = useState<{ id: string; label: string }[]>([])
  const [leaving, setLeaving] = useState(false)
  useEffect(() => {
    dialog.current?.showModal()
    void listCameras().then(setCameras, () => undefined)
    // Asked again here: some browsers say yes only once the page was used for a while.
    void askPersistence()
  }, [])
  const event = setup.value?.event
  return (
    <dialog ref={dialog} class="menu" aria-labelledby="menu-title" onClose={onClose}>
      <div class="stack loose">
        <div class="row apart">
          <h2 id="menu-title">{t('menu')}</h2>
          <button class="button quiet tight" type="button" onClick={() => dialog.current?.close()}>
            {t('close')}
          </button>
        </div>
        {updateWaiting.value && (
          <div class="notice stack">
            <p>
              <strong>{t('update')}</strong>
              <br />
              {t('update_hint')}
            </p>
            <button class="button" type="button" onClick={takeUpdate}>
              {t('update_now')}
            </button>
          </div>
        )}
        <div class="menu-acts">
          <button class="button quiet" type="button" onClick={onDiagnostics}>
            {t('diagnostics')}
            {(status.value?.pending ?? 0) > 0 && (
              <span class="tag warn numeric">{status.value?.pending}</span>
            )}
          </button>
          <button
            class="button quiet"
            type="button"
            onClick={() => {
              askForProof()
              dialog.current?.close()
            }}
          >
            {t('proof')}
          </button>
          <RehearsalButton close={() => dialog.current?.close()} />
        </div>
        <div class="field">
          <label for="menu-gate">{t('gate')}</label>
          <select id="menu-gate" onChange={change => chooseGate(Number(change.currentTarget.value))}>
            {setup.value?.gates.map(gate => (
              <option key={gate.number} value={gate.number} selected={gate.number === gateNumber.value}>
                {gate.name}
                {gate.open ? '' : ` (${t('gate_closed')})`}
              </option>
            ))}
          </select>
        </div>
        <fieldset class="field">
          <legend>{t('counts')}</legend>
          <div class="segments">
            {[false, true].map(exits => (
              <label key={`${exits}`}>
                <input
                  type="radio"
                  name="counts"
                  checked={exitsChosen.value === exits}
                  onChange={() => countExits(exits)}
                />
                <span>{exits ? t('exits') : t('entries')}</span>
              </label>
            ))}
          </div>
        </fieldset>
        {cameras.length > 0 && (
          <div class="field">
            <label for="menu-camera">{t('camera')}</label>
            <select id="menu-camera" onChange={change => void chooseCamera(change.currentTarget.value)}>
              {cameras.map((camera, index) => (
                <option key={camera.id} value={camera.id} selected={camera.id === wantedCamera.value}>
                  {camera.label || t('camera_name', { number: index + 1 })}
                </option>
              ))}
            </select>
          </div>
        )}
        <fieldset class="field">
          <legend>{t('appearance')}</legend>
          <div class="segments">
            {(['auto', 'light', 'dark'] satisfies Theme[]).map(choice => (
              <label key={choice}>
                <input
                  type="radio"
                  name="theme"
                  checked={theme.value === choice}
                  onChange={() => setTheme(choice)}
                />
                <span>{t(choice)}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <div class="field">
          <span class="field-label">{t('sound')}</span>
          <label class="check">
            <input
              type="checkbox"
              checked={soundOn.value}
              onChange={change => {
                unlockSound()
                keepSound(change.currentTarget.checked)
              }}
            />
            {t('sound_on')}
          </label>
          <div class="row">
            <button class="button quiet tight" type="button" onClick={() => hear(soundAdmit)}>
              {t('test_admit')}
            </button>
            <button class="button quiet tight" type="button" onClick={() => hear(soundRefuse)}>
              {t('test_refuse')}
            </button>
          </div>
        </div>
        <RecentScans />
        <dl class="about small">
          <dt>{t('event')}</dt>
          <dd dir="auto">{event?.name}</dd>
          <dt>{t('device')}</dt>
          <dd dir="auto">{setup.value?.device.name}</dd>
          <dt>{t('checks')}</dt>
          <dd>{rulesOnDevice.value ? t('rules_on') : t('rules_off')}</dd>
          <dt>{t('storage')}</dt>
          <dd>{persisted.value ? t('storage_kept') : t('storage_may_go')}</dd>
        </dl>
        <button class="button danger" type="button" onClick={() => setLeaving(true)}>
          {t('unpair')}
        </button>
      </div>
      {leaving && <Leave onNo={() => setLeaving(false)} />}
    </dialog>
  )
}

function RehearsalButton({ close }: { close: () => void }) {
  if (rehearsing.value) {
    return (
      <button class="button quiet" type="button" onClick={endRehearsal}>
        {t('rehearsal_end')}
      </button>
    )
  }
  return (
    <button
      class="button quiet"
      type="button"
      disabled={!rulesOnDevice.value}
      onClick={() => void startRehearsal().then(started => started && close())}
    >
      {t('rehearsal')}
    </button>
  )
}

/** Unpairing deletes the journal: what the server never heard would be lost with it. */
function Leave({ onNo }: { onNo: () => void }) {
  const pending = status.value?.pending ?? 0
  return (
    <Confirm
      title={t('unpair_title')}
      yes={pending > 0 ? t('unpair_lose') : t('unpair_yes')}
      no={t('cancel')}
      onYes={() => void unpair()}
      onNo={onNo}
    >
      {pending > 0 && (
        <div class="notice bad stack" role="alert">
          <p>
            <strong>{plural('unpair_pending', pending)}</strong>
          </p>
          <div>
            <button class="button" type="button" onClick={() => void syncNow()}>
              {t('sync_now')}
            </button>
          </div>
        </div>
      )}
      <p>{t('unpair_text')}</p>
    </Confirm>
  )
}

function RecentScans() {
  return (
    <div class="field">
      <span class="field-label">{t('recent')}</span>
      {recents.value.length === 0 && <span class="soft small">{t('recent_none')}</span>}
      <ol class="recent plain">
        {recents.value.map(recent => (
          <li key={recent.scanId}>
            <span class="numeric small soft">{preciseTimeIn(zone.value, recent.at)}</span>
            <span
              class={`tag ${recent.tone === 'admit' || recent.tone === 'out' ? 'good' : recent.tone === 'refuse' ? 'bad' : 'warn'}`}
            >
              {recent.word}
            </span>
            <span class="small" dir="auto">
              {recent.ticket}
            </span>
            {recent.undoUntil && Date.parse(recent.undoUntil) > serverNow() && (
              <button
                class="button quiet tight"
                type="button"
                aria-label={`${t('undo')}: ${recent.ticket ?? ''}`}
                disabled={undoBusy.value}
                onClick={() => undo(recent.scanId)}
              >
                {t('undo')}
              </button>
            )}
          </li>
        ))}
      </ol>
    </div>
  )
}
