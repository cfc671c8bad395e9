// The devices of an event: pair one by QR, see which are there, take one away.
import { useEffect, useState } from 'preact/hooks'
import { createPairing, listDevices, removeDevice } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { DeskEvent, Device, Pairing } from '../lib/api/types.ts'
import { momentIn } from '../lib/time/zone.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { Confirm } from '../lib/ui/confirm.tsx'
import { Field } from '../lib/ui/field.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { duration } from './doubles.ts'
import { FormStatus } from './form-status.tsx'
import { t as offline, plural } from './offline-texts.ts'
import { countdown, newlyPaired } from './pairing.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

const LIST_EVERY_MS = 15_000
const PAIRING_EVERY_MS = 1_500

export function DevicePage({ event }: { event: DeskEvent }) {
  const [devices, setDevices] = useState<Device[] | null>(null)
  const [error, setError] = useState<string | null>(null)
  const [pairing, setPairing] = useState(false)
  const [removing, setRemoving] = useState<Device | null>(null)

  const load = async () => {
    try {
      setDevices((await listDevices(event.slug)).devices)
      setError(null)
    } catch (failure) {
      setError(failure instanceof Problem ? failure.message : t('no_answer'))
    }
  }
  useEffect(() => {
    void load()
    const timer = setInterval(() => document.visibilityState === 'visible' && void load(), LIST_EVERY_MS)
    return () => clearInterval(timer)
  }, [event.slug])

  const active = devices?.filter(device => device.revoked_at === null) ?? []
  const gone = devices?.filter(device => device.revoked_at !== null) ?? []
  return (
    <div class="stack narrow">
      <div class="row apart">
        <h2>{t('devices')}</h2>
        {mayWrite.value && (
          <button class="button" type="button" onClick={() => setPairing(true)}>
            {t('pair_device')}
          </button>
        )}
      </div>
      {error && (
        <p class="notice bad" role="alert">
          {error}
        </p>
      )}
      {!devices && !error && <p class="waiting">{t('loading')}</p>}
      {devices && active.length === 0 && (
        <div class="card">
          <h3>{t('devices_none')}</h3>
          <p class="soft">{t('devices_none_hint')}</p>
        </div>
      )}
      {active.length > 0 && (
        <ul class="plain card lines">
          {active.map(device => (
            <li key={device.id} class="row apart">
              <DeviceFacts device={device} event={event} />
              {mayWrite.value && (
                <button
                  class="button danger tight"
                  type="button"
                  aria-label={`${t('remove_device')}: ${device.name}`}
                  onClick={() => setRemoving(device)}
                >
                  {t('remove_device')}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {gone.length > 0 && (
        <details>
          <summary class="soft">
            {t('removed_devices')} ({gone.length})
          </summary>
          <ul class="plain lines">
            {gone.map(device => (
              <li key={device.id}>
                <DeviceFacts device={device} event={event} />
              </li>
            ))}
          </ul>
        </details>
      )}
      {pairing && (
        <Modal
          title={t('pair_device')}
          onClose={() => {
            setPairing(false)
            void load()
          }}
        >
          {close => <PairingSteps event={event} onClose={close} />}
        </Modal>
      )}
      {removing && (
        <Confirm
          title={t('remove_title', { name: removing.name })}
          yes={t('remove_device')}
          no={t('cancel')}
          onNo={() => setRemoving(null)}
          onYes={() => {
            const device = removing
            setRemoving(null)
            removeDevice(event.slug, device.id).then(load, failure =>
              setError(failure instanceof Problem ? failure.message : t('no_answer')),
            )
          }}
        >
          <p>{t('remove_text')}</p>
        </Confirm>
      )}
    </div>
  )
}

function DeviceFacts({ device, event }: { device: Device; event: DeskEvent }) {
  const gate = event.gates.find(candidate => candidate.number === device.gate)?.name
  return (
    <span class="line-text">
      <strong dir="auto">{device.name}</strong>
      <span class="soft small">
        {[
          gate,
          device.platform,
          device.revoked_at
            ? t('revoked_at', { at: momentIn(event.time_zone, device.revoked_at) })
            : t('paired_at', { at: momentIn(event.time_zone, device.paired_at) }),
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
      {device.revoked_at === null && <Freshness device={device} />}
    </span>
  )
}

/** A heartbeat comes every quarter of a minute; three that are missing are news. */
const STALE_MS = 45_000

/** How fresh a scanner's knowledge is, and what it has not told yet. */
function Freshness({ device }: { device: Device }) {
  const { state, unconfirmed } = device
  if (state === null)
    return (
      <span class="freshness">
        <span class="tag warn">{offline('never_synced')}</span>
      </span>
    )
  const { last_sync_at: at, pending, persisted, battery } = state
  const age = Math.max(0, Date.now() - Date.parse(at))
  const ago = duration(age)
  return (
    <span class="freshness numeric">
      <span class={`tag ${age > STALE_MS ? 'warn' : 'good'}`}>
        {offline(age > STALE_MS ? 'stale' : 'synced_ago', { ago })}
      </span>
      {pending > 0 && <span class="tag warn">{plural('pending', pending)}</span>}
      {unconfirmed > 0 && <span class="tag warn">{plural('unconfirmed', unconfirmed)}</span>}
      {battery !== null && (
        <span class={`tag ${battery < 20 ? 'bad' : ''}`}>{offline('battery', { percent: battery })}</span>
      )}
      <span class={`tag ${persisted ? '' : 'warn'}`}>
        {offline(persisted ? 'storage_safe' : 'storage_unsafe')}
      </span>
    </span>
  )
}

/** First the name, then the code, then the news that it was used. */
function PairingSteps({ event, onClose }: { event: DeskEvent; onClose: () => void }) {
  const [asked, setAsked] = useState<{ device_name: string; gate?: number } | null>(null)
  const [made, setMade] = useState<{ pairing: Pairing; before: Device[] } | null>(null)
  const make = async (input: { device_name: string; gate?: number }) => {
    // The list from before is what tells the new device from the old ones.
    const before = (await listDevices(event.slug)).devices
    setMade({ pairing: await createPairing(event.slug, input), before })
    setAsked(input)
  }
  const { busy, errors, props } = useForm(async data => {
    const name = textOf(data, 'device_name')
    if (!name) throw new InvalidForm({ device_name: t('missing') })
    const gate = Number(textOf(data, 'gate'))
    await make({ device_name: name, ...(gate > 0 ? { gate } : {}) })
  })
  if (made && asked) {
    return (
      <PairingCode
        key={made.pairing.code}
        event={event}
        name={asked.device_name}
        pairing={made.pairing}
        before={made.before}
        onAgain={() => void make(asked).catch(() => setMade(null))}
        onClose={onClose}
      />
    )
  }
  return (
    <form class="stack" {...props}>
      <FormStatus errors={errors} saved={false} />
      <Field
        name="device_name"
        label={t('device_name')}
        hint={t('device_name_hint')}
        error={errors.fields.device_name}
      >
        {control => <input {...control} type="text" dir="auto" maxLength={60} autocomplete="off" />}
      </Field>
      <Field name="gate" label={t('device_gate')} error={errors.fields.gate}>
        {control => (
          <select {...control}>
            <option value="">{t('device_gate_any')}</option>
            {event.gates.map(gate => (
              <option key={gate.number} value={gate.number}>
                {gate.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <div class="row">
        <button class="button" type="submit" disabled={busy}>
          {t('pair_go')}
        </button>
        <button class="button quiet" type="button" onClick={onClose}>
          {t('cancel')}
        </button>
      </div>
    </form>
  )
}

type PairingCodeProps = {
  event: DeskEvent
  name: string
  pairing: Pairing
  before: Device[]
  onAgain: () => void
  onClose: () => void
}

function PairingCode({ event, name, pairing, before, onAgain, onClose }: PairingCodeProps) {
  const [now, setNow] = useState(Date.now())
  const [paired, setPaired] = useState<Device | null>(null)
  const left = Date.parse(pairing.expires_at) - now
  const over = left <= 0
  useEffect(() => {
    if (paired || over) return
    const clock = setInterval(() => setNow(Date.now()), 1_000)
    const look = setInterval(() => {
      void listDevices(event.slug).then(
        ({ devices }) => setPaired(newlyPaired(before, devices, name)),
        () => undefined,
      )
    }, PAIRING_EVERY_MS)
    return () => {
      clearInterval(clock)
      clearInterval(look)
    }
  }, [paired, over])

  if (paired) {
    return (
      <div class="stack">
        <p class="notice good" role="alert">
          <strong>{t('pair_used', { name: paired.name })}</strong>
        </p>
        <div>
          <button class="button" type="button" onClick={onClose}>
            {t('close')}
          </button>
        </div>
      </div>
    )
  }
  const page = pairing.url.split('#')[0] ?? ''
  return (
    <div class="stack pairing">
      <p class="soft small">{t('pair_how', { url: page })}</p>
      <div class="pairing-code" aria-hidden={over ? 'true' : undefined} data-over={over}>
        <CodeImage svg={pairing.svg} alt={t('pair_qr')} />
        <p class="mono pairing-text" data-pairing-url={pairing.url}>
          {pairing.code}
        </p>
      </div>
      {over ? (
        <div class="notice warn stack" role="alert">
          <p>{t('pair_expired')}</p>
          <div>
            <button class="button" type="button" onClick={onAgain}>
              {t('pair_new')}
            </button>
          </div>
        </div>
      ) : (
        <p class="small soft numeric">
          {t('pair_left', { time: countdown(left) })} {t('waiting_for_device')}
        </p>
      )}
      <div>
        <button class="button quiet" type="button" onClick={onClose}>
          {t('close')}
        </button>
      </div>
    </div>
  )
}
