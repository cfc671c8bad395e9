// What a ticket type does at a gate without the network, in plain words, and what that costs.
import { useEffect, useState } from 'preact/hooks'
import { listDevices } from '../lib/api/desk.ts'
import type { DeskEvent, Device, OfflinePolicy, TicketType } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { t } from './offline-texts.ts'
import { aboutSo, expectedDoubles } from './risk.ts'

const policies: OfflinePolicy[] = ['any', 'lease', 'refuse']

type OfflinePolicyProps = { event: DeskEvent; type: TicketType | null }

export function OfflinePolicyFields({ event, type }: OfflinePolicyProps) {
  const [policy, setPolicy] = useState<OfflinePolicy>(type?.offline ?? 'any')
  return (
    <fieldset class="field policy">
      <legend>{t('policy')}</legend>
      {policies.map(value => (
        <label key={value} class="check policy-choice">
          <input
            type="radio"
            name="offline"
            value={value}
            defaultChecked={value === policy}
            onChange={() => setPolicy(value)}
          />
          <span>
            <strong>{t(value)}</strong> {value !== 'any' && <span class="tag good">{t('never_twice')}</span>}
            <span class="small soft">{t(`${value}_hint`)}</span>
          </span>
        </label>
      ))}
      {policy === 'lease' && <LeaseDevice event={event} type={type} />}
      <RiskFigure policy={policy} gates={event.gates.length} quota={type?.quota ?? 100} />
    </fieldset>
  )
}

function LeaseDevice({ event, type }: OfflinePolicyProps) {
  const [devices, setDevices] = useState<Device[]>([])
  const holder = type?.lease_device ?? null
  useEffect(() => {
    void listDevices(event.slug).then(
      answer => setDevices(answer.devices.filter(device => device.revoked_at === null)),
      () => undefined,
    )
  }, [event.slug])
  return (
    <>
      {/* Said even before the list is there, so that saving early changes nothing. */}
      {devices.length === 0 && holder !== null && <input type="hidden" name="lease_device" value={holder} />}
      <Field
        name="lease_device"
        label={t('lease_device')}
        {...(type?.lease_holder && type.lease_holder !== type.lease_device
          ? { hint: t('lease_wanted') }
          : {})}
      >
        {control => (
          <select {...control} disabled={devices.length === 0}>
            <option value="">{t('lease_none')}</option>
            {devices.map(device => (
              <option key={device.id} value={device.id} selected={device.id === holder}>
                {device.name}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  )
}

type RiskProps = { policy: OfflinePolicy; gates: number; quota: number }

function RiskFigure({ policy, gates, quota }: RiskProps) {
  const [percent, setPercent] = useState(20)
  const [copied, setCopied] = useState(Math.max(1, Math.round(quota / 100)))
  const expected = expectedDoubles(policy, { copied, gates, offline: percent / 100 })
  return (
    <div class="risk">
      <p class="row apart">
        <span>
          <strong>{t('expected')}</strong> <span class="soft small">{t('expected_of', { gates })}</span>
        </span>
        <strong class={`numeric risk-figure ${expected > 0 ? 'bad' : 'good'}`} data-risk={expected}>
          {aboutSo(expected)}
        </strong>
      </p>
      {policy !== 'any' ? (
        <p class="small">{t('expected_none')}</p>
      ) : gates < 2 ? (
        <p class="small">{t('expected_one_gate')}</p>
      ) : (
        <div class="halves">
          <label class="slider">
            <span class="small">
              {t('share')} <strong class="numeric">{t('share_value', { percent })}</strong>
            </span>
            <input
              type="range"
              min={0}
              max={100}
              step={5}
              value={percent}
              onInput={input => setPercent(Number(input.currentTarget.value))}
            />
          </label>
          <label class="slider">
            <span class="small">
              {t('copied')} <strong class="numeric">{copied}</strong>
            </span>
            <input
              type="range"
              min={1}
              max={Math.max(10, Math.round(quota / 5))}
              value={copied}
              onInput={input => setCopied(Number(input.currentTarget.value))}
            />
          </label>
        </div>
      )}
    </div>
  )
}
