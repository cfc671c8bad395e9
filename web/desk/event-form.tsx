// The form of an event, for a new one and for a change; its times are wall-clock times of the event's zone.
import { useState } from 'preact/hooks'
import type { DeskEvent, EventInput, PhoneRule, Question, TokenFormat } from '../lib/api/types.ts'
import { momentOf, wallClock } from '../lib/time/wall-clock.ts'
import { isZone } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { FormStatus } from './form-status.tsx'
import { t as offline } from './offline-texts.ts'
import { type QuestionDraft, QuestionEditor, questionsOf } from './question-editor.tsx'
import { mayWrite } from './session.ts'
import { slugFrom } from './slug.ts'
import { t } from './texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

type EventFormProps = { event?: DeskEvent; submitText: string; send: (input: EventInput) => Promise<void> }

const USUAL_OFFLINE_HOURS = 12

const timeFields = ['doors_at', 'starts_at', 'ends_at'] as const

const phoneRules: [PhoneRule, () => string][] = [
  ['hidden', () => t('phone_hidden')],
  ['optional', () => t('phone_optional')],
  ['required', () => t('phone_required')],
]

const tokenFormats: [TokenFormat, () => string][] = [
  ['a1', () => t('format_a1')],
  ['a1-hmac', () => t('format_a1_hmac')],
  ['jwt-eddsa', () => t('format_eddsa')],
  ['jwt-hs256', () => t('format_hs256')],
]

const localTime = (zone: string, at: string | null) => (at ? wallClock(zone, at) : '')

function readEvent(data: FormData, questions: Question[]): EventInput {
  const zone = textOf(data, 'time_zone')
  const fields: Record<string, string> = {}
  for (const name of ['name', 'slug', 'venue', 'time_zone'] as const)
    if (!textOf(data, name)) fields[name] = t('missing')
  if (zone && !isZone(zone)) fields.time_zone = t('bad_zone')
  const at = (name: (typeof timeFields)[number]) => (isZone(zone) ? momentOf(zone, textOf(data, name)) : null)
  const required = (name: 'starts_at' | 'ends_at') => {
    const moment = at(name)
    if (moment === null) fields[name] = t('missing')
    return moment ?? ''
  }
  const hours = textOf(data, 'offline_hours')
  if (!/^\d+$/.test(hours) || Number(hours) < 1 || Number(hours) > 72)
    fields.offline_hours = offline('bad_hours')
  const times = { doors_at: at('doors_at'), starts_at: required('starts_at'), ends_at: required('ends_at') }
  if (Object.keys(fields).length > 0) throw new InvalidForm(fields)
  return {
    slug: textOf(data, 'slug'),
    name: textOf(data, 'name'),
    venue: textOf(data, 'venue'),
    description: textOf(data, 'description'),
    time_zone: zone,
    ...times,
    registration: textOf(data, 'registration') === 'open' ? 'open' : 'closed',
    token_format: textOf(data, 'token_format') as TokenFormat,
    show_name_at_gate: data.has('show_name_at_gate'),
    phone: textOf(data, 'phone') as PhoneRule,
    questions,
    offline_hours: Number(hours),
  }
}

/** A new event: tomorrow week in the evening, in the zone of whoever makes it. */
function proposed(): Pick<EventInput, 'time_zone' | (typeof timeFields)[number]> {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  const day = wallClock(zone, new Date(Date.now() + 8 * 86_400_000).toISOString()).slice(0, 10)
  const at = (time: string) => momentOf(zone, `${day}T${time}`) ?? new Date().toISOString()
  return { time_zone: zone, doors_at: at('18:00'), starts_at: at('19:00'), ends_at: at('23:00') }
}

export function EventForm({ event, submitText, send }: EventFormProps) {
  const [start] = useState(() => event ?? proposed())
  const [slug, setSlug] = useState(event?.slug ?? '')
  const [slugTouched, setSlugTouched] = useState(event !== undefined)
  const [questions, setQuestions] = useState<QuestionDraft[]>(event?.questions ?? [])
  const { busy, saved, errors, props } = useForm(data => send(readEvent(data, questionsOf(questions))))
  const error = errors.fields

  return (
    <form class="stack loose" {...props}>
      <fieldset class="stack loose" disabled={!mayWrite.value}>
        <section class="card stack">
          <h2>{t('event_details')}</h2>
          <Field name="name" label={t('name')} error={error.name}>
            {control => (
              <input
                {...control}
                type="text"
                dir="auto"
                maxLength={200}
                defaultValue={event?.name ?? ''}
                onInput={input => !slugTouched && setSlug(slugFrom(input.currentTarget.value))}
              />
            )}
          </Field>
          <Field
            name="slug"
            label={t('slug')}
            hint={t('slug_hint', { slug: slug || '…' })}
            error={error.slug}
          >
            {control => (
              <input
                {...control}
                class="mono"
                type="text"
                value={slug}
                maxLength={60}
                autocapitalize="none"
                spellcheck={false}
                onInput={input => {
                  setSlugTouched(true)
                  setSlug(input.currentTarget.value)
                }}
              />
            )}
          </Field>
          <Field name="venue" label={t('venue')} error={error.venue}>
            {control => (
              <input {...control} type="text" dir="auto" maxLength={200} defaultValue={event?.venue ?? ''} />
            )}
          </Field>
          <Field
            name="description"
            label={t('description')}
            optional={t('optional')}
            error={error.description}
          >
            {control => (
              <textarea
                {...control}
                dir="auto"
                maxLength={4000}
                rows={4}
                defaultValue={event?.description ?? ''}
              />
            )}
          </Field>
          <Field name="time_zone" label={t('time_zone')} hint={t('time_zone_hint')} error={error.time_zone}>
            {control => (
              <>
                <input
                  {...control}
                  type="text"
                  list="zones"
                  spellcheck={false}
                  defaultValue={start.time_zone}
                />
                <datalist id="zones">
                  {Intl.supportedValuesOf('timeZone').map(zone => (
                    <option key={zone} value={zone} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
          <div class="thirds">
            {timeFields.map(name => (
              <Field
                key={name}
                name={name}
                label={t(name)}
                error={error[name]}
                {...(name === 'doors_at' ? { optional: t('optional') } : {})}
              >
                {control => (
                  <input
                    {...control}
                    type="datetime-local"
                    defaultValue={localTime(start.time_zone, start[name])}
                  />
                )}
              </Field>
            ))}
          </div>
        </section>

        <section class="card stack">
          <h2>{t('registration')}</h2>
          <div class="row" role="radiogroup" aria-label={t('registration')}>
            {(['open', 'closed'] as const).map(value => (
              <label key={value} class="check">
                <input
                  type="radio"
                  name="registration"
                  value={value}
                  defaultChecked={(event?.registration ?? 'closed') === value}
                />
                {t(value)}
              </label>
            ))}
          </div>
          <Field name="phone" label={t('phone')} error={error.phone}>
            {control => (
              <select {...control}>
                {phoneRules.map(([value, text]) => (
                  <option key={value} value={value} selected={value === (event?.phone ?? 'hidden')}>
                    {text()}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <QuestionEditor questions={questions} onChange={setQuestions} error={error.questions} />
        </section>

        <section class="card stack">
          <h2>{t('at_the_gate')}</h2>
          <label class="check">
            <input
              type="checkbox"
              name="show_name_at_gate"
              defaultChecked={event?.show_name_at_gate ?? false}
            />
            <span>
              {t('show_name')}
              <br />
              <span class="small soft">{t('show_name_hint')}</span>
            </span>
          </label>
          <Field
            name="offline_hours"
            label={offline('hours')}
            hint={offline('hours_hint')}
            error={error.offline_hours}
          >
            {control => (
              <input
                {...control}
                type="text"
                inputMode="numeric"
                defaultValue={event?.offline_hours ?? USUAL_OFFLINE_HOURS}
              />
            )}
          </Field>
          <Field name="token_format" label={t('token_format')} error={error.token_format}>
            {control => (
              <select {...control}>
                {tokenFormats.map(([value, text]) => (
                  <option key={value} value={value} selected={value === (event?.token_format ?? 'a1')}>
                    {text()}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </section>
      </fieldset>
      <FormStatus errors={errors} saved={saved} />
      {mayWrite.value && (
        <div class="row">
          <button class="button" type="submit" disabled={busy}>
            {busy ? t('saving') : submitText}
          </button>
        </div>
      )}
    </form>
  )
}
