// The registration form: native controls, errors beside the field they belong to, and safe against a double click.
import { useRef, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { register } from '../lib/api/public.ts'
import type { PublicEvent, PublicTicketType, RegistrationInput } from '../lib/api/types.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { type FormErrors, focusFirstError, formErrors, noErrors } from '../lib/ui/form-errors.ts'
import { forgetIdempotencyKey, idempotencyKey } from './idempotency.ts'
import { plural, t } from './texts.ts'

const randomKey = () => {
  // randomUUID is missing in old WebViews; the key only has to be unguessable and unique.
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function readForm(
  form: HTMLFormElement,
  event: PublicEvent,
): { input: RegistrationInput; errors: FormErrors } {
  const data = new FormData(form)
  const text = (name: string) => String(data.get(name) ?? '').trim()
  const fields: Record<string, string> = {}
  const input: RegistrationInput = {
    ticket_type: Number(text('ticket_type')),
    name: text('name'),
    email: text('email'),
  }
  if (!input.ticket_type) fields.ticket_type = t('choose_type')
  if (!input.name) fields.name = t('missing')
  if (!/^[^@\s]+@[^@\s]+$/.test(input.email)) fields.email = t('bad_email')
  const phone = text('phone')
  if (phone) input.phone = phone
  else if (event.phone === 'required') fields.phone = t('missing')
  const answers: Record<string, string> = {}
  for (const question of event.questions) {
    const answer = text(`answers.${question.key}`)
    if (answer) answers[question.key] = answer
    else if (question.required) fields[`answers.${question.key}`] = t('missing')
  }
  if (Object.keys(answers).length > 0) input.answers = answers
  return { input, errors: { form: Object.keys(fields).length > 0 ? t('check_fields') : null, fields } }
}

export function RegistrationForm({ event }: { event: PublicEvent }) {
  const form = useRef<HTMLFormElement>(null)
  const sending = useRef(false)
  const [busy, setBusy] = useState(false)
  const [errors, setErrors] = useState<FormErrors>(noErrors)
  const errorOf = (name: string) => errors.fields[name] ?? errors.fields[name.replace('answers.', '')]

  const fail = (found: FormErrors) => {
    setErrors(found)
    focusFirstError(form.current)
  }

  const send = async () => {
    // A ref, not the state: the second click of a double click comes before any repaint.
    if (sending.current || !form.current) return
    const { input, errors: found } = readForm(form.current, event)
    if (found.form) return fail(found)
    sending.current = true
    setBusy(true)
    setErrors(noErrors)
    try {
      const key = idempotencyKey(event.slug, sessionStorage, randomKey)
      const registered = await register(event.slug, input, key)
      forgetIdempotencyKey(event.slug, sessionStorage)
      location.assign(`/ticket/#${registered.access}`)
    } catch (error) {
      // The key was used with other details (the answer got lost, then the form was changed): this is a new form now.
      if (error instanceof Problem && error.code === 'idempotency_mismatch') {
        forgetIdempotencyKey(event.slug, sessionStorage)
      }
      sending.current = false
      setBusy(false)
      fail(formErrors(error, t('no_answer')))
    }
  }

  const single = event.ticket_types.length === 1
  return (
    <form
      ref={form}
      class="stack loose"
      noValidate
      onSubmit={submit => {
        submit.preventDefault()
        void send()
      }}
    >
      <h2>{t('your_ticket')}</h2>
      {errors.form && (
        <p class="notice bad" role="alert">
          {errors.form}
        </p>
      )}
      <fieldset class="stack types" aria-describedby={errorOf('ticket_type') ? 'type-error' : undefined}>
        <legend class={single ? 'hidden-text' : ''}>{t('ticket_type')}</legend>
        {event.ticket_types.map(type => (
          <TypeChoice
            key={type.number}
            type={type}
            zone={event.time_zone}
            checked={single}
            invalid={Boolean(errorOf('ticket_type'))}
          />
        ))}
        {errorOf('ticket_type') && (
          <span class="type-error" id="type-error">
            {errorOf('ticket_type')}
          </span>
        )}
      </fieldset>
      <Field name="name" label={t('name')} error={errorOf('name')}>
        {control => (
          <input {...control} type="text" dir="auto" autocomplete="name" maxLength={200} required />
        )}
      </Field>
      <Field name="email" label={t('email')} hint={t('email_hint')} error={errorOf('email')}>
        {control => (
          <input {...control} type="email" autocomplete="email" inputMode="email" maxLength={254} required />
        )}
      </Field>
      {event.phone !== 'hidden' && (
        <Field
          name="phone"
          label={t('phone')}
          error={errorOf('phone')}
          {...(event.phone === 'optional' ? { optional: t('optional') } : {})}
        >
          {control => <input {...control} type="tel" autocomplete="tel" maxLength={40} />}
        </Field>
      )}
      {event.questions.map(question => (
        <Field
          key={question.key}
          name={`answers.${question.key}`}
          label={question.label}
          error={errorOf(`answers.${question.key}`)}
          {...(question.required ? {} : { optional: t('optional') })}
        >
          {control =>
            question.kind === 'choice' ? (
              <select {...control} dir="auto">
                <option value="">{t('choose')}</option>
                {question.options.map(option => (
                  <option key={option} value={option}>
                    {option}
                  </option>
                ))}
              </select>
            ) : (
              <input {...control} type="text" dir="auto" maxLength={500} />
            )
          }
        </Field>
      ))}
      {errors.fields.answers && <p class="notice bad">{errors.fields.answers}</p>}
      <div class="stack">
        <button class="button wide" type="submit" disabled={busy}>
          {busy ? t('submitting') : t('submit')}
        </button>
        <p class="small soft">{t('privacy')}</p>
      </div>
    </form>
  )
}

type TypeChoiceProps = { type: PublicTicketType; zone: string; checked: boolean; invalid: boolean }

function TypeChoice({ type, zone, checked, invalid }: TypeChoiceProps) {
  const limits = [
    type.valid_from && t('valid_from', { at: momentIn(zone, type.valid_from) }),
    type.valid_until && t('valid_until', { at: momentIn(zone, type.valid_until) }),
    type.gates.length > 0 && t('valid_gates', { gates: type.gates.join(', ') }),
  ].filter(Boolean)
  return (
    <label class="type-choice">
      <input
        type="radio"
        name="ticket_type"
        value={type.number}
        disabled={type.sold_out}
        defaultChecked={checked && !type.sold_out}
        aria-invalid={invalid ? 'true' : undefined}
      />
      <span class="type-text">
        <strong dir="auto">{type.name}</strong>
        {type.description && (
          <span class="soft" dir="auto">
            {type.description}
          </span>
        )}
        {limits.length > 0 && <span class="small soft">{limits.join(' · ')}</span>}
      </span>
      <span class="type-price">
        {type.sold_out ? (
          <span class="tag bad">{t('sold_out')}</span>
        ) : (
          <>
            <strong>{t('free')}</strong>
            {type.remaining !== null && <span class="small soft">{plural('left', type.remaining)}</span>}
          </>
        )}
      </span>
    </label>
  )
}
