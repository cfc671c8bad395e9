// The ticket types of an event: how many, how many entries, when and where they hold.
import { useState } from 'preact/hooks'
import { addTicketType, changeTicketType } from '../lib/api/desk.ts'
import type { CodeChange, DeskEvent, OfflinePolicy, TicketType, TicketTypeInput } from '../lib/api/types.ts'
import { momentOf, wallClock } from '../lib/time/wall-clock.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { FormStatus } from './form-status.tsx'
import { OfflinePolicyFields } from './offline-policy.tsx'
import { t as offline } from './offline-texts.ts'
import { PassFields, passWords, readPass } from './pass-fields.tsx'
import { readSale, SaleFields, saleWords } from './sale-fields.tsx'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

const codeChanges: [CodeChange, () => string][] = [
  ['none', () => t('code_none')],
  ['device', () => t('code_device')],
  ['shared', () => t('code_shared')],
]

/** The intervals that the format of such codes knows, in seconds. */
const intervals = [15, 20, 30, 45, 60]
const USUAL_INTERVAL = 30

type TicketTypeListProps = { event: DeskEvent; onChanged: () => Promise<void> }

export function TicketTypeList({ event, onChanged }: TicketTypeListProps) {
  const [editing, setEditing] = useState<TicketType | 'new' | null>(null)
  return (
    <section class="card stack">
      <div class="row apart">
        <h2>{t('ticket_types')}</h2>
        {mayWrite.value && (
          <button class="button quiet tight" type="button" onClick={() => setEditing('new')}>
            {t('add_type')}
          </button>
        )}
      </div>
      {event.ticket_types.length === 0 && <p class="soft">{t('ticket_types_none')}</p>}
      <ul class="plain lines">
        {event.ticket_types.map(type => (
          <li key={type.number} class="row apart">
            <span class="line-text">
              <strong dir="auto">{type.name}</strong>
              <span class="soft small">{describe(type, event)}</span>
            </span>
            {mayWrite.value && (
              <button
                class="button quiet tight"
                type="button"
                aria-label={t('edit_type', { name: type.name })}
                onClick={() => setEditing(type)}
              >
                {t('edit')}
              </button>
            )}
          </li>
        ))}
      </ul>
      {editing && (
        <Modal
          title={editing === 'new' ? t('add_type') : t('edit_type', { name: editing.name })}
          onClose={() => setEditing(null)}
        >
          {close => (
            <TicketTypeForm
              event={event}
              type={editing === 'new' ? null : editing}
              onCancel={close}
              onSaved={async () => {
                await onChanged()
                close()
              }}
            />
          )}
        </Modal>
      )}
    </section>
  )
}

function describe(type: TicketType, event: DeskEvent): string {
  const zone = event.time_zone
  const gates = event.gates.filter(gate => type.gates.includes(gate.number)).map(gate => gate.name)
  return [
    t('issued_count', { issued: type.issued, quota: type.quota }),
    ...passWords(type),
    saleWords(type.sale),
    type.rotation !== 'none' && t('code_changes', { seconds: type.interval_s ?? USUAL_INTERVAL }),
    type.offline === 'lease' && offline('lease_short'),
    type.offline === 'refuse' && offline('refuse_short'),
    type.valid_from && `${t('valid_from')} ${momentIn(zone, type.valid_from)}`,
    type.valid_until && `${t('valid_until')} ${momentIn(zone, type.valid_until)}`,
    `${t('gates_allowed')} ${gates.length > 0 ? gates.join(', ') : t('gates_any')}`,
  ]
    .filter(Boolean)
    .join(' · ')
}

function readType(data: FormData, event: DeskEvent): TicketTypeInput {
  const fields: Record<string, string> = {}
  const whole = (name: string, min: number, max: number) => {
    const text = textOf(data, name)
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) fields[name] = t('bad_number', { min, max })
    return value
  }
  const name = textOf(data, 'name')
  if (!name) fields.name = t('missing')
  const input: TicketTypeInput = {
    name,
    description: textOf(data, 'description'),
    quota: whole('quota', 0, 1_000_000),
    ...readPass(data, whole),
    valid_from: momentOf(event.time_zone, textOf(data, 'valid_from')),
    valid_until: momentOf(event.time_zone, textOf(data, 'valid_until')),
    gates: data.getAll('gates').map(Number),
    rotation: textOf(data, 'rotation'),
    ...readSale(data, fields),
  }
  const offlinePolicy = textOf(data, 'offline') as OfflinePolicy
  input.offline = offlinePolicy
  // Whose lease it is means nothing for the others.
  if (offlinePolicy === 'lease') input.lease_device = Number(textOf(data, 'lease_device')) || null
  if (data.has('interval_s')) input.interval_s = Number(textOf(data, 'interval_s'))
  if (Object.keys(fields).length > 0) throw new InvalidForm(fields)
  return input
}

type TicketTypeFormProps = {
  event: DeskEvent
  type: TicketType | null
  onCancel: () => void
  onSaved: () => Promise<void>
}

function TicketTypeForm({ event, type, onCancel, onSaved }: TicketTypeFormProps) {
  const { busy, errors, props } = useForm(async data => {
    const input = readType(data, event)
    await (type ? changeTicketType(event.slug, type.number, input) : addTicketType(event.slug, input))
    await onSaved()
  })
  const [change, setChange] = useState<CodeChange>(type?.rotation ?? 'none')
  const error = errors.fields
  const local = (at: string | null | undefined) => (at ? wallClock(event.time_zone, at) : '')
  return (
    <form class="stack" {...props}>
      <FormStatus errors={errors} saved={false} />
      <Field name="name" label={t('name')} error={error.name}>
        {control => (
          <input {...control} type="text" dir="auto" maxLength={100} defaultValue={type?.name ?? ''} />
        )}
      </Field>
      <Field name="description" label={t('description')} optional={t('optional')} error={error.description}>
        {control => (
          <input {...control} type="text" dir="auto" maxLength={500} defaultValue={type?.description ?? ''} />
        )}
      </Field>
      <Field name="quota" label={t('quota')} hint={t('quota_hint')} error={error.quota}>
        {control => <input {...control} type="text" inputMode="numeric" defaultValue={type?.quota ?? 100} />}
      </Field>
      <PassFields type={type} error={error} />
      <SaleFields sale={type?.sale} error={error} />
      <div class="halves">
        <Field name="valid_from" label={t('valid_from')} optional={t('optional')} error={error.valid_from}>
          {control => <input {...control} type="datetime-local" defaultValue={local(type?.valid_from)} />}
        </Field>
        <Field name="valid_until" label={t('valid_until')} optional={t('optional')} error={error.valid_until}>
          {control => <input {...control} type="datetime-local" defaultValue={local(type?.valid_until)} />}
        </Field>
      </div>
      <Field name="rotation" label={t('code_change')} hint={t('code_change_hint')} error={error.rotation}>
        {control => (
          <select {...control} onChange={input => setChange(input.currentTarget.value as CodeChange)}>
            {codeChanges.map(([value, text]) => (
              <option key={value} value={value} selected={value === change}>
                {text()}
              </option>
            ))}
          </select>
        )}
      </Field>
      {change !== 'none' && (
        <Field name="interval_s" label={t('interval')} error={error.interval_s}>
          {control => (
            <select {...control}>
              {intervals.map(seconds => (
                <option
                  key={seconds}
                  value={seconds}
                  selected={seconds === (type?.interval_s ?? USUAL_INTERVAL)}
                >
                  {t('interval_s', { seconds })}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <OfflinePolicyFields event={event} type={type} />
      {event.gates.length > 0 && (
        <fieldset class="field">
          <legend>{t('gates_allowed')}</legend>
          {event.gates.map(gate => (
            <label key={gate.number} class="check">
              <input
                type="checkbox"
                name="gates"
                value={gate.number}
                defaultChecked={type?.gates.includes(gate.number) ?? false}
              />
              <span dir="auto">{gate.name}</span>
            </label>
          ))}
          <span class="hint">{t('gates_allowed_hint')}</span>
        </fieldset>
      )}
      <div class="row">
        <button class="button" type="submit" disabled={busy}>
          {busy ? t('saving') : t('save')}
        </button>
        <button class="button quiet" type="button" onClick={onCancel}>
          {t('cancel')}
        </button>
      </div>
    </form>
  )
}
