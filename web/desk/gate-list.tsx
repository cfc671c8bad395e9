// The gates of an event: name them, close and open them.
import { useState } from 'preact/hooks'
import { addGate, changeGate } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { DeskEvent, Gate, GateInput } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { FormStatus } from './form-status.tsx'
import { t as offline } from './offline-texts.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

type GateListProps = { event: DeskEvent; onChanged: () => Promise<void> }

export function GateList({ event, onChanged }: GateListProps) {
  const [editing, setEditing] = useState<Gate | 'new' | null>(null)
  const [error, setError] = useState<string | null>(null)
  const toggle = async (gate: Gate) => {
    setError(null)
    try {
      await changeGate(event.slug, gate.number, { open: !gate.open })
      await onChanged()
    } catch (failure) {
      setError(failure instanceof Problem ? failure.message : t('no_answer'))
    }
  }
  return (
    <section class="card stack">
      <div class="row apart">
        <h2>{t('gates')}</h2>
        {mayWrite.value && (
          <button class="button quiet tight" type="button" onClick={() => setEditing('new')}>
            {t('add_gate')}
          </button>
        )}
      </div>
      {event.gates.length === 0 && <p class="soft">{t('gates_none')}</p>}
      {error && (
        <p class="notice bad" role="alert">
          {error}
        </p>
      )}
      <ul class="plain lines">
        {event.gates.map(gate => (
          <li key={gate.number} class="row apart">
            <span class="row">
              <strong dir="auto">{gate.name}</strong>
              <span class={`tag ${gate.open ? 'good' : 'warn'}`}>
                {gate.open ? t('gate_is_open') : t('gate_is_closed')}
              </span>
            </span>
            {mayWrite.value && (
              <span class="row">
                <button
                  class="button quiet tight"
                  type="button"
                  aria-label={`${gate.open ? t('close_gate') : t('open_gate')}: ${gate.name}`}
                  onClick={() => void toggle(gate)}
                >
                  {gate.open ? t('close_gate') : t('open_gate')}
                </button>
                <button
                  class="button quiet tight"
                  type="button"
                  aria-label={t('rename_gate', { name: gate.name })}
                  onClick={() => setEditing(gate)}
                >
                  {t('rename')}
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
      {editing && (
        <Modal
          title={editing === 'new' ? t('add_gate') : t('rename_gate', { name: editing.name })}
          onClose={() => setEditing(null)}
        >
          {close => (
            <GateForm
              event={event}
              gate={editing === 'new' ? null : editing}
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

type GateFormProps = {
  event: DeskEvent
  gate: Gate | null
  onCancel: () => void
  onSaved: () => Promise<void>
}

const placeText = (gate: Gate | null) =>
  gate && gate.latitude !== null && gate.longitude !== null ? `${gate.latitude}, ${gate.longitude}` : ''

/** "52.539, 13.413" as two numbers; empty is no place. */
function placeOf(text: string): GateInput {
  if (text === '') return { latitude: null, longitude: null }
  const found = /^(-?\d{1,2}(?:\.\d+)?)\s*[,;]\s*(-?\d{1,3}(?:\.\d+)?)$/.exec(text)
  const [latitude, longitude] = [Number(found?.[1]), Number(found?.[2])]
  if (!found || Math.abs(latitude) > 90 || Math.abs(longitude) > 180)
    throw new InvalidForm({ place: offline('bad_place') })
  return { latitude, longitude }
}

function GateForm({ event, gate, onCancel, onSaved }: GateFormProps) {
  const { busy, errors, props } = useForm(async data => {
    const name = textOf(data, 'name')
    if (!name) throw new InvalidForm({ name: t('missing') })
    const input = { name, ...placeOf(textOf(data, 'place')) }
    await (gate ? changeGate(event.slug, gate.number, input) : addGate(event.slug, input))
    await onSaved()
  })
  return (
    <form class="stack" {...props}>
      <FormStatus errors={errors} saved={false} />
      <Field name="name" label={t('gate_name')} error={errors.fields.name}>
        {control => (
          <input {...control} type="text" dir="auto" maxLength={60} defaultValue={gate?.name ?? ''} />
        )}
      </Field>
      <Field
        name="place"
        label={offline('place')}
        optional={t('optional')}
        hint={offline('place_hint')}
        error={errors.fields.place ?? errors.fields.latitude ?? errors.fields.longitude}
      >
        {control => (
          <input
            {...control}
            type="text"
            inputMode="decimal"
            autocomplete="off"
            defaultValue={placeText(gate)}
          />
        )}
      </Field>
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
