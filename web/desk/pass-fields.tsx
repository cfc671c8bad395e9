// How often and for how long tickets of a type enter, and whether they may be handed on: the organiser's words for it.
import { useState } from 'preact/hooks'
import type { PassRules, TicketKind, TicketType, TicketTypeInput } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { plural, t } from './texts.ts'
import { textOf } from './use-form.ts'

const kinds: [TicketKind, () => string][] = [
  ['single-use', () => t('kind_single')],
  ['entries', () => t('kind_entries')],
  ['day', () => t('kind_day')],
  ['monthly', () => t('kind_monthly')],
]

const perDay: [PassRules['per_day'], () => string][] = [
  ['any', () => t('per_day_any')],
  ['once', () => t('per_day_once')],
  ['once_each_gate', () => t('per_day_each_gate')],
]

const handing: [TicketType['transferable'], () => string][] = [
  ['no', () => t('transfer_no')],
  ['free', () => t('transfer_free')],
  ['approval', () => t('transfer_approval')],
]

/** What the fields below say; `whole` reads a number and notes what is wrong with it. */
export function readPass(
  data: FormData,
  whole: (name: string, min: number, max: number) => number,
): Pick<TicketTypeInput, 'kind' | 'max_uses' | 'pass' | 'transferable'> {
  const kind = textOf(data, 'kind')
  const transferable = textOf(data, 'transferable')
  if (kind === 'single-use') return { kind, transferable }
  return {
    kind,
    max_uses: whole('max_uses', 0, 255),
    pass: {
      exits: data.has('exits'),
      wait_min: whole('wait_min', 0, 1440),
      per_day: textOf(data, 'per_day'),
    },
    transferable,
  }
}

/** The rules of a type, in the line that describes it. */
export function passWords(type: TicketType): (string | false)[] {
  const { pass, kind } = type
  const entries =
    type.max_uses === 0
      ? t('uses_unlimited')
      : type.max_uses === 1
        ? t('uses_one')
        : plural('uses_many', type.max_uses)
  return [
    kind === 'day' && t('kind_day_short'),
    kind === 'monthly' && t('kind_monthly_short'),
    entries,
    pass.per_day === 'once' && t('per_day_once_short'),
    pass.per_day === 'once_each_gate' && t('per_day_each_gate_short'),
    pass.exits && t('exits_short'),
    pass.wait_min > 0 && t('wait_short', { minutes: pass.wait_min }),
    type.transferable === 'free' && t('transfer_free_short'),
    type.transferable === 'approval' && t('transfer_approval_short'),
  ]
}

type PassFieldsProps = { type: TicketType | null; error: Record<string, string | undefined> }

export function PassFields({ type, error }: PassFieldsProps) {
  const [kind, setKind] = useState<TicketKind>(type?.kind ?? 'single-use')
  const pass = type?.pass
  return (
    <>
      <Field name="kind" label={t('kind')} error={error.kind}>
        {control => (
          <select {...control} onChange={input => setKind(input.currentTarget.value as TicketKind)}>
            {kinds.map(([value, text]) => (
              <option key={value} value={value} selected={value === kind}>
                {text()}
              </option>
            ))}
          </select>
        )}
      </Field>
      {kind !== 'single-use' && (
        <div class="stack">
          <div class="halves">
            <Field name="max_uses" label={t('max_uses')} hint={t('max_uses_hint')} error={error.max_uses}>
              {control => (
                <input
                  {...control}
                  type="text"
                  inputMode="numeric"
                  defaultValue={!type || type.kind === 'single-use' ? 0 : type.max_uses}
                />
              )}
            </Field>
            <Field name="wait_min" label={t('wait_min')} hint={t('wait_min_hint')} error={error.wait_min}>
              {control => (
                <input {...control} type="text" inputMode="numeric" defaultValue={pass?.wait_min ?? 0} />
              )}
            </Field>
          </div>
          <Field name="per_day" label={t('per_day')} error={error.per_day}>
            {control => (
              <select {...control}>
                {perDay.map(([value, text]) => (
                  <option key={value} value={value} selected={value === (pass?.per_day ?? 'any')}>
                    {text()}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <label class="check">
            <input type="checkbox" name="exits" defaultChecked={pass?.exits ?? false} />
            <span>{t('exits')}</span>
          </label>
          <span class="small soft">{t('pass_hint')}</span>
        </div>
      )}
      <Field name="transferable" label={t('transferable')} error={error.transferable}>
        {control => (
          <select {...control}>
            {handing.map(([value, text]) => (
              <option key={value} value={value} selected={value === (type?.transferable ?? 'no')}>
                {text()}
              </option>
            ))}
          </select>
        )}
      </Field>
    </>
  )
}
