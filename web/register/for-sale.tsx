// What is sold without a name: its price, and the way to the wallet, which buys it.
import type { PublicTicketType } from '../lib/api/types.ts'
import { t } from './texts.ts'

// Not from lib/: a file shared with other pages would cost this one more than the line.
const price = (cents: number, currency: string) =>
  new Intl.NumberFormat('en-GB', { style: 'currency', currency }).format(cents / 100)

export function ForSale({ event, types }: { event: string; types: PublicTicketType[] }) {
  return (
    <section class="stack" aria-labelledby="for-sale">
      <h2 id="for-sale">{t('no_name')}</h2>
      <p class="soft">{t('no_name_hint')}</p>
      <ul class="plain stack">
        {types.map(({ number, name, sale, sold_out }) => (
          <li key={number} class="row apart">
            <strong class="type-text" dir="auto">
              {name}
            </strong>
            <span class="type-price">
              <strong>{sale && price(sale.price_cents, sale.currency)}</strong>
              {sold_out && <span class="tag bad">{t('sold_out')}</span>}
            </span>
          </li>
        ))}
      </ul>
      {types.some(({ sold_out }) => !sold_out) && (
        <a class="button wide" href={`/ticket/#buy=${encodeURIComponent(event)}`}>
          {t('buy')}
        </a>
      )}
    </section>
  )
}
