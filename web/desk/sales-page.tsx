// What is sold without a name: figures of each type and day, payments, vouchers, keys, and a ticket withdrawn by its number.
import { getSales } from '../lib/api/sales.ts'
import type { DeskEvent, Sales, SoldType } from '../lib/api/types.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { money } from '../lib/time/money.ts'
import { IssuerKeys } from './issuer-keys.tsx'
import { Loaded } from './loaded.tsx'
import { eventPath } from './router.ts'
import { s } from './sales-texts.ts'
import { mayWrite } from './session.ts'
import { VoucherList } from './voucher-list.tsx'
import { WithdrawToken } from './withdraw-token.tsx'
import './sales.css'

const number = (value: number) => value.toLocaleString('en-GB')

export function SalesPage({ event }: { event: DeskEvent }) {
  return (
    <div class="stack loose">
      <div class="stack">
        <h2>{s('title')}</h2>
        <p class="soft narrow">{s('intro')}</p>
      </div>
      <Loaded of={event.slug} load={() => getSales(event.slug)}>
        {(sales, _change, reload) =>
          sales.types.length === 0 ? (
            <div class="card stack narrow">
              <h3>{s('none')}</h3>
              <p class="soft">{s('none_hint')}</p>
              <p>
                <a href={eventPath(event.slug, 'settings')}>{s('to_settings')}</a>
              </p>
            </div>
          ) : (
            <div class="sales-grid">
              <div class="stack">
                {sales.types.map(type => (
                  <TypeFigures key={type.ticket_type} type={type} />
                ))}
                <p class="small soft">{s('signed_hint')}</p>
                <Payments sales={sales} />
              </div>
              <div class="stack">
                <VoucherList event={event} sales={sales} onChanged={reload} />
                <IssuerKeys event={event} />
                {mayWrite.value && <WithdrawToken event={event} />}
              </div>
            </div>
          )
        }
      </Loaded>
    </div>
  )
}

/** Bars over the same measure: what was sold, what of it was fetched, and what came in. */
function TypeFigures({ type }: { type: SoldType }) {
  const most = Math.max(1, ...type.days.map(({ signed }) => signed))
  const title = `sold-${type.ticket_type}`
  // An older server counts no admissions by day.
  const counts = type.days.some(({ admitted }) => admitted !== undefined)
  return (
    <section class="card stack" data-sold={type.sold}>
      <div class="row apart">
        <h3 id={title} dir="auto">
          {type.type_name}
        </h3>
        <span class="soft small numeric">
          {s('of_quota', { sold: number(type.sold), quota: number(type.quota) })}
        </span>
      </div>
      <meter class="bar-line" value={type.sold} max={Math.max(1, type.quota)} aria-hidden="true" />
      <dl class="figure-side numeric sales-figures">
        {(['sold', 'signed', 'exchanged'] as const).map(key => (
          <div key={key}>
            <dd>{number(type[key])}</dd>
            <dt>{s(key)}</dt>
          </div>
        ))}
      </dl>
      {type.days.length > 0 && (
        <table class="numbers" aria-labelledby={title}>
          <thead>
            <tr>
              <th scope="col">{s('day')}</th>
              <th scope="col">{s('signed')}</th>
              {counts && <th scope="col">{s('admitted')}</th>}
            </tr>
          </thead>
          <tbody>
            {type.days.map(({ day, signed, admitted }) => (
              <tr key={day ?? ''}>
                <th scope="row">
                  {day ? dayText(day) : s('whole_event')}
                  <span class="twice" aria-hidden="true">
                    <meter class="bar-line" value={signed} max={most} />
                    {counts && <meter class="bar-line admitted" value={admitted ?? 0} max={most} />}
                  </span>
                </th>
                <td>{number(signed)}</td>
                {counts && <td>{number(admitted ?? 0)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

const providerName = (provider: string) =>
  provider === 'STRIPE' || provider === 'TEST' || provider === 'VOUCHER' ? s(provider) : provider

function Payments({ sales }: { sales: Sales }) {
  const most = Math.max(1, ...sales.payments.map(({ amount_cents }) => amount_cents))
  return (
    <section class="card stack">
      <h3 id="payments">{s('payments')}</h3>
      {sales.payments.length === 0 ? (
        <p class="soft">{s('no_payments')}</p>
      ) : (
        <table class="numbers" aria-labelledby="payments">
          <thead>
            <tr>
              <th scope="col">{s('provider')}</th>
              <th scope="col">{s('verified')}</th>
              <th scope="col">{s('open')}</th>
              <th scope="col">{s('amount')}</th>
            </tr>
          </thead>
          <tbody>
            {sales.payments.map(paid => (
              <tr key={paid.provider + paid.currency}>
                <th scope="row">
                  {providerName(paid.provider)}
                  <meter class="bar-line" value={paid.amount_cents} max={most} aria-hidden="true" />
                </th>
                <td>{number(paid.verified)}</td>
                <td>{number(paid.open)}</td>
                <td>{money(paid.amount_cents, paid.currency)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {sales.refunds.length > 0 && (
        <div class="notice warn stack" data-refunds={sales.refunds.length}>
          <strong>{s('refunds')}</strong>
          <p class="small">{s('refunds_hint')}</p>
          <ul class="plain lines">
            {sales.refunds.map(refund => (
              <li key={refund.reference} class="row apart">
                <span class="mono small reference">{refund.reference}</span>
                <strong class="numeric">{money(refund.amount_cents, refund.currency)}</strong>
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}
