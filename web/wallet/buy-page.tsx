// Buying a ticket without a name: what, which day, how many, and what the organiser learns of it.
import { useEffect, useRef, useState } from 'preact/hooks'
import { getSale } from '../lib/api/anonymous.ts'
import { Problem } from '../lib/api/http.ts'
import type { PublicEvent, Sale } from '../lib/api/types.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { money } from '../lib/time/money.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { focusFirstError } from '../lib/ui/form-errors.ts'
import { beginOrder } from './begin-purchase.ts'
import { b } from './buy-texts.ts'
import { KeyLine, useKeyCheck } from './key-line.tsx'

export const MAX_QUANTITY = 10

export type Sold = PublicEvent['ticket_types'][number] & { sale: Sale }

const isSold = (type: PublicEvent['ticket_types'][number]): type is Sold => Boolean(type.sale)

type State = { event: PublicEvent | null; failed: 'missing' | 'no_answer' | null }

export function BuyPage({ event: slug }: { event: string }) {
  const [state, setState] = useState<State>({ event: null, failed: null })
  const load = () => {
    setState({ event: null, failed: null })
    getSale(slug).then(
      event => setState({ event, failed: null }),
      error => setState({ event: null, failed: error instanceof Problem ? 'missing' : 'no_answer' }),
    )
  }
  useEffect(load, [slug])
  const { event, failed } = state
  if (failed === 'no_answer') {
    return (
      <div class="card stack" role="alert">
        <h1>{b('title')}</h1>
        <p>{b('no_answer')}</p>
        <div>
          <button class="button quiet" type="button" onClick={load}>
            {b('try_again')}
          </button>
        </div>
      </div>
    )
  }
  const types = event?.registration_open ? event.ticket_types.filter(isSold) : []
  if (failed || (event && types.length === 0)) {
    return (
      <div class="card stack">
        <h1>{b('no_sale')}</h1>
        <p class="soft">{b('no_sale_hint')}</p>
        <p>
          <a href="/">{b('all_events')}</a>
        </p>
      </div>
    )
  }
  return event ? <BuyForm event={event} types={types} /> : <p class="waiting">{b('loading')}</p>
}

const SALE_WORDS = { STRIPE: 'by_stripe', TEST: 'by_test' } as const

function BuyForm({ event, types }: { event: PublicEvent; types: Sold[] }) {
  const form = useRef<HTMLFormElement>(null)
  const sending = useRef(false)
  const open = types.filter(({ sold_out }) => !sold_out)
  const [number, setNumber] = useState(open[0]?.number ?? null)
  const [day, setDay] = useState('')
  const [quantity, setQuantity] = useState(1)
  const [chosen, setChosen] = useState<'STRIPE' | 'TEST' | null>(null)
  const [tried, setTried] = useState(false)
  const [kept, setKept] = useState(true)
  const type = types.find(candidate => candidate.number === number)
  const sale = type?.sale
  const onlyDay = sale?.days.length === 1 ? (sale.days[0] ?? '') : ''
  const wished = sale?.by_day ? day || onlyDay : null
  const missingDay = wished === ''
  const check = useKeyCheck(event.slug, number, wished)
  const mayBuy = check.state === 'holds' || check.state === 'first'
  const ways = (['STRIPE', 'TEST'] as const).filter(way => sale?.payments.includes(way))
  const way = chosen && ways.includes(chosen) ? chosen : ways[0]

  useEffect(() => {
    document.title = `${b('title')} · ${event.name}`
  }, [])

  const buy = async () => {
    setTried(true)
    if (missingDay) return focusFirstError(form.current)
    if (sending.current || number === null || !way || !mayBuy) return
    sending.current = true
    try {
      await beginOrder(way, event.slug, { ticketType: number, day: wished, quantity })
    } catch {
      sending.current = false
      setKept(false)
    }
  }
  const amount = sale ? money(sale.price_cents * quantity, sale.currency) : ''
  return (
    <form
      ref={form}
      class="stack loose buy"
      noValidate
      onSubmit={submit => {
        submit.preventDefault()
        void buy()
      }}
    >
      <div class="stack tight">
        <h1>{b('title')}</h1>
        <p>
          <strong dir="auto">{event.name}</strong>
          <br />
          <span class="soft">{momentIn(event.time_zone, event.starts_at)}</span>
        </p>
      </div>
      <div class="card stack loose">
        <fieldset class="stack choices">
          <legend>{b('ticket')}</legend>
          {types.map(candidate => (
            <TypeChoice
              key={candidate.number}
              type={candidate}
              checked={candidate.number === number}
              choose={() => setNumber(candidate.number)}
            />
          ))}
        </fieldset>
        {sale?.by_day && (
          <Field name="day" label={b('day')} error={tried && missingDay ? b('missing_day') : undefined}>
            {control => (
              <select
                {...control}
                value={wished ?? ''}
                onChange={change => setDay(change.currentTarget.value)}
              >
                {!onlyDay && <option value="">{b('choose_day')}</option>}
                {sale.days.map(each => (
                  <option key={each} value={each}>
                    {dayText(each)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Field name="quantity" label={b('quantity')}>
          {control => (
            <select
              {...control}
              class="numeric"
              value={quantity}
              onChange={change => setQuantity(Number(change.currentTarget.value))}
            >
              {Array.from({ length: MAX_QUANTITY }, (_, at) => (
                <option key={at} value={at + 1}>
                  {at + 1}
                </option>
              ))}
            </select>
          )}
        </Field>
        {ways.length > 0 && (
          <fieldset class="stack choices">
            <legend>{b('pay_by')}</legend>
            {ways.map(each => (
              <label key={each} class="choice">
                <input type="radio" name="way" checked={each === way} onChange={() => setChosen(each)} />
                <span>
                  <strong>{b(SALE_WORDS[each])}</strong>
                  <br />
                  <span class="small soft">{b(`${SALE_WORDS[each]}_hint`)}</span>
                </span>
              </label>
            ))}
          </fieldset>
        )}
        <Learns />
        <KeyLine check={check} />
        {!kept && (
          <p class="notice bad" role="alert">
            {b('cannot_keep')}
          </p>
        )}
        <div class="stack tight">
          {way && (
            <button class="button wide" type="submit" disabled={!mayBuy && !missingDay}>
              {sale?.price_cents === 0
                ? b('buy_free')
                : b(way === 'STRIPE' ? 'pay_card' : 'pay_test', { amount })}
            </button>
          )}
          {sale?.payments.includes('VOUCHER') && (
            <a class="button quiet wide" href="#voucher">
              {b('have_voucher')}
            </a>
          )}
        </div>
      </div>
    </form>
  )
}

function Learns() {
  return (
    <section class="notice stack tight" aria-labelledby="learns">
      <h2 id="learns" class="small-title">
        {b('learns_title')}
      </h2>
      <ul class="learns">
        <li>{b('learns_1')}</li>
        <li>{b('learns_2')}</li>
        <li>{b('learns_3')}</li>
      </ul>
      <p class="small">{b('only_here')}</p>
    </section>
  )
}

type TypeChoiceProps = { type: Sold; checked: boolean; choose: () => void }

function TypeChoice({ type, checked, choose }: TypeChoiceProps) {
  const { sale } = type
  return (
    <label class="choice">
      <input type="radio" name="type" checked={checked} disabled={type.sold_out} onChange={choose} />
      <span class="choice-text">
        <strong dir="auto">{type.name}</strong>
        {type.description && (
          <span class="small soft" dir="auto">
            {type.description}
          </span>
        )}
      </span>
      <span class="choice-price">
        {type.sold_out ? (
          <span class="tag bad">{b('sold_out')}</span>
        ) : (
          <>
            <strong class="numeric">{money(sale.price_cents, sale.currency)}</strong>
            <span class="small soft">{sale.by_day ? b('a_day') : b('each')}</span>
          </>
        )}
      </span>
    </label>
  )
}
