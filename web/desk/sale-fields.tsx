// How a ticket type is sold without a name: its price, its currency, and whether for each day or for the whole event.
import { useState } from 'preact/hooks'
import type { DeskSale, TicketTypeInput } from '../lib/api/types.ts'
import { money } from '../lib/time/money.ts'
import { Field } from '../lib/ui/field.tsx'
import { s } from './sales-texts.ts'
import { textOf } from './use-form.ts'

const USUAL_CURRENCY = 'EUR'

/** "4.50", "4,5" or "4" in hundredths; none when it is no amount. */
export function centsOf(text: string): number | null {
  const [, whole, rest = ''] = /^(\d{1,6})(?:[.,](\d{1,2}))?$/.exec(text) ?? []
  return whole === undefined ? null : Number(whole) * 100 + Number(rest.padEnd(2, '0'))
}

/** What the fields below say. A type that was never on sale says nothing, which every server understands. */
export function readSale(data: FormData, fields: Record<string, string>): Pick<TicketTypeInput, 'sale'> {
  if (!data.has('on_sale')) return data.has('was_on_sale') ? { sale: null } : {}
  const cents = centsOf(textOf(data, 'price'))
  const currency = textOf(data, 'currency').toUpperCase()
  if (cents === null) fields.price = s('bad_price')
  if (!/^[A-Z]{3}$/.test(currency)) fields.currency = s('bad_currency')
  return { sale: { price_cents: cents ?? 0, currency, by_day: textOf(data, 'by_day') === 'day' } }
}

/** The sale in the line that describes a type. */
export const saleWords = (sale: DeskSale | null | undefined): string | false =>
  sale
    ? s(sale.by_day ? 'sold_by_day' : 'sold_whole', { price: money(sale.price_cents, sale.currency) })
    : false

type SaleFieldsProps = { sale: DeskSale | null | undefined; error: Record<string, string | undefined> }

export function SaleFields({ sale, error }: SaleFieldsProps) {
  const [on, setOn] = useState(Boolean(sale))
  return (
    <fieldset class="stack">
      <label class="check">
        <input
          type="checkbox"
          name="on_sale"
          checked={on}
          onChange={event => setOn(event.currentTarget.checked)}
        />
        <span>{s('without_name')}</span>
      </label>
      {sale && <input type="hidden" name="was_on_sale" value="1" />}
      {error.sale && <span class="error">{error.sale}</span>}
      {on && (
        <div class="stack">
          <div class="halves">
            <Field name="price" label={s('price')} error={error.price ?? error['sale.price_cents']}>
              {control => (
                <input
                  {...control}
                  type="text"
                  inputMode="decimal"
                  defaultValue={sale ? (sale.price_cents / 100).toFixed(2) : ''}
                />
              )}
            </Field>
            <Field name="currency" label={s('currency')} error={error.currency ?? error['sale.currency']}>
              {control => (
                <input
                  {...control}
                  type="text"
                  maxLength={3}
                  autocapitalize="characters"
                  defaultValue={sale?.currency ?? USUAL_CURRENCY}
                />
              )}
            </Field>
          </div>
          <Field name="by_day" label={s('good_for')} error={error.by_day}>
            {control => (
              <select {...control}>
                <option value="event" selected={!sale?.by_day}>
                  {s('good_event')}
                </option>
                <option value="day" selected={sale?.by_day ?? false}>
                  {s('good_day')}
                </option>
              </select>
            )}
          </Field>
          <span class="small soft">{s('without_name_hint')}</span>
        </div>
      )}
    </fieldset>
  )
}
