// Withdraws a ticket without a name, by the number that its holder reads out: nobody else knows which it is.
import { useState } from 'preact/hooks'
import { revokeToken } from '../lib/api/sales.ts'
import type { DeskEvent } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { FormStatus } from './form-status.tsx'
import { s } from './sales-texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

const reasons = ['lost', 'refunded', 'duplicate', 'fraud', 'other'] as const
const SIGNS = 14

export function WithdrawToken({ event }: { event: DeskEvent }) {
  const [gone, setGone] = useState<string | null>(null)
  const { busy, errors, props } = useForm(async data => {
    const number = textOf(data, 'number')
    setGone(null)
    if (number.replace(/[\s._-]/g, '').length !== SIGNS) throw new InvalidForm({ number: s('number_wrong') })
    await revokeToken(event.slug, number, textOf(data, 'reason'))
    setGone(number)
    props.ref.current?.reset()
  })
  return (
    <form class="card stack" {...props}>
      <h3>{s('withdraw')}</h3>
      <p class="small soft">{s('withdraw_hint')}</p>
      <FormStatus errors={errors} saved={false} />
      {gone && (
        <p class="notice good" role="status">
          {s('withdrawn', { number: gone })}
        </p>
      )}
      <div class="halves">
        <Field name="number" label={s('number')} error={errors.fields.number}>
          {control => (
            <input
              {...control}
              class="mono"
              type="text"
              maxLength={24}
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
            />
          )}
        </Field>
        <Field name="reason" label={s('reason')} error={errors.fields.reason}>
          {control => (
            <select {...control}>
              {reasons.map(reason => (
                <option key={reason} value={reason}>
                  {s(reason)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <div>
        <button class="button danger" type="submit" disabled={busy}>
          {s('withdraw_yes')}
        </button>
      </div>
    </form>
  )
}
