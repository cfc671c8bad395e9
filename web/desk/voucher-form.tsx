// Makes vouchers, and shows their codes once: copied, saved or printed now, or lost.
import { useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { makeVouchers, printVouchers } from '../lib/api/sales.ts'
import type { DeskEvent, VoucherInput } from '../lib/api/types.ts'
import { momentOf } from '../lib/time/wall-clock.ts'
import { CopyButton } from '../lib/ui/copy-button.tsx'
import { Field } from '../lib/ui/field.tsx'
import { saveFile } from '../lib/ui/save-file.ts'
import { FormStatus } from './form-status.tsx'
import { s, sp } from './sales-texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

const COUNT_MAX = 1_000
const QUANTITY_MAX = 10

function readVouchers(data: FormData, event: DeskEvent, byDay: boolean): VoucherInput {
  const fields: Record<string, string> = {}
  const whole = (name: string, max: number) => {
    const text = textOf(data, name)
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < 1 || value > max) fields[name] = s('bad_number', { min: 1, max })
    return value
  }
  const day = byDay ? textOf(data, 'day') : ''
  if (byDay && !day) fields.day = s('missing')
  const input = {
    ticket_type: Number(textOf(data, 'ticket_type')),
    day: day || null,
    count: whole('count', COUNT_MAX),
    quantity: whole('quantity', QUANTITY_MAX),
    label: textOf(data, 'label'),
    expires_at: momentOf(event.time_zone, textOf(data, 'expires_at')),
  }
  if (Object.keys(fields).length > 0) throw new InvalidForm(fields)
  return input
}

export function VoucherForm({ event, onClose }: { event: DeskEvent; onClose: () => void }) {
  const types = event.ticket_types.filter(({ sale }) => sale)
  const [number, setNumber] = useState(types[0]?.number ?? 0)
  const [codes, setCodes] = useState<string[] | null>(null)
  const byDay = types.find(type => type.number === number)?.sale?.by_day ?? false
  const { busy, errors, props } = useForm(async data => {
    setCodes((await makeVouchers(event.slug, readVouchers(data, event, byDay))).codes)
  })
  if (codes) return <Codes event={event} codes={codes} onClose={onClose} />
  const error = errors.fields
  return (
    <form class="stack" {...props}>
      <FormStatus errors={errors} saved={false} />
      <Field name="label" label={s('label')} hint={s('label_hint')} error={error.label}>
        {control => <input {...control} type="text" dir="auto" maxLength={80} autocomplete="off" />}
      </Field>
      <Field name="ticket_type" label={s('type')} error={error.ticket_type}>
        {control => (
          <select {...control} onChange={change => setNumber(Number(change.currentTarget.value))}>
            {types.map(type => (
              <option key={type.number} value={type.number} selected={type.number === number}>
                {type.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {byDay && (
        <Field name="day" label={s('day')} error={error.day}>
          {control => <input {...control} type="date" />}
        </Field>
      )}
      <div class="halves">
        <Field name="count" label={s('count')} error={error.count}>
          {control => <input {...control} type="text" inputMode="numeric" defaultValue="100" />}
        </Field>
        <Field name="quantity" label={s('quantity')} error={error.quantity}>
          {control => <input {...control} type="text" inputMode="numeric" defaultValue="1" />}
        </Field>
      </div>
      <Field name="expires_at" label={s('expires')} optional={s('optional')} error={error.expires_at}>
        {control => <input {...control} type="datetime-local" />}
      </Field>
      <div class="row">
        <button class="button" type="submit" disabled={busy}>
          {busy ? s('making') : s('make_now')}
        </button>
        <button class="button quiet" type="button" onClick={onClose}>
          {s('cancel')}
        </button>
      </div>
    </form>
  )
}

type CodesProps = { event: DeskEvent; codes: string[]; onClose: () => void }

function Codes({ event, codes, onClose }: CodesProps) {
  const [printing, setPrinting] = useState(false)
  const [failed, setFailed] = useState<string | null>(null)
  const text = () => `${codes.join('\n')}\n`
  const printCards = async () => {
    setPrinting(true)
    setFailed(null)
    try {
      saveFile(await printVouchers(event.slug, codes), `vouchers-${event.slug}.pdf`)
    } catch (error) {
      setFailed(s('failed', { why: error instanceof Problem ? error.message : s('no_answer') }))
    } finally {
      setPrinting(false)
    }
  }
  return (
    <div class="stack" data-codes={codes.length}>
      <p class="notice warn" role="alert">
        {s('shown_once')}
      </p>
      <p>
        <strong>{sp('made', codes.length)}</strong>
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region */}
      <ul class="plain mono codes" tabIndex={0} aria-label={s('codes')}>
        {codes.map(code => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      {failed && (
        <p class="notice bad" role="alert">
          {failed}
        </p>
      )}
      <div class="row">
        <button class="button" type="button" disabled={printing} onClick={() => void printCards()}>
          {printing ? s('printing') : s('print')}
        </button>
        <CopyButton
          text={text}
          label={s('codes')}
          words={{ copy: s('copy'), copied: s('copied'), failed: s('copy_failed') }}
        />
        <button
          class="button quiet tight"
          type="button"
          onClick={() => saveFile(new Blob([text()], { type: 'text/plain' }), `vouchers-${event.slug}.txt`)}
        >
          {s('download')}
        </button>
        <button class="button quiet" type="button" onClick={onClose}>
          {s('close')}
        </button>
      </div>
    </div>
  )
}
