// Why a purchase does not go on by itself, and what may be done about it.
import type { ComponentChildren } from 'preact'
import type { Stop } from '../lib/anonymous/buyer.ts'
import type { Purchase } from '../lib/anonymous/purchase.ts'
import { toBase64Url } from '../lib/rotation/code.ts'
import { money } from '../lib/time/money.ts'
import { timeIn } from '../lib/time/zone.ts'
import { saveFile } from '../lib/ui/save-file.ts'
import { b } from './buy-texts.ts'

/** Where the money is paid; only a web page, whatever the server says. */
export function payUrl(purchase: Purchase | undefined): string | null {
  const url = purchase?.order?.pay_url
  if (!url) return null
  try {
    return /^https?:$/.test(new URL(url, location.href).protocol) ? url : null
  } catch {
    return null
  }
}

/** The proof of a wrong signature; without the number and what links it, which are nobody's business. */
function complaint({ event, blanks }: Purchase): Blob {
  const answers = blanks.flatMap(({ wrong, blinded, terms }) =>
    wrong
      ? [
          {
            key_id: terms.keyId,
            public_key: toBase64Url(terms.spki),
            blinded_token: toBase64Url(blinded),
            signed_blinded: toBase64Url(wrong),
          },
        ]
      : [],
  )
  const text = { what: 'signatures of an issuer that do not verify', event, answers }
  return new Blob([JSON.stringify(text, null, 2)], { type: 'application/json' })
}

type StoppedProps = {
  purchase: Purchase
  stop: Stop
  waits: boolean
  back: 'paid' | 'unpaid' | undefined
  again: () => void
}

export function Stopped({ purchase, stop, waits, back, again }: StoppedProps) {
  const { order } = purchase
  const amount = order ? money(order.amount_cents, order.currency) : ''
  const retry = (text: string = b('try_again')) => (
    <button class="button quiet" type="button" onClick={again}>
      {text}
    </button>
  )
  switch (stop.why) {
    case 'done':
      return null
    case 'pay': {
      const url = payUrl(purchase)
      return (
        <Told
          tone={back === 'unpaid' ? 'warn' : ''}
          title={back === 'unpaid' ? b('unpaid') : waits ? b('pay_waiting') : b('pay_title')}
          text={order ? b('pay_hint', { at: timeIn(localZone(), order.expires_at) }) : ''}
        >
          {url && !waits && (
            <a class="button" href={url}>
              {b('pay', { amount })}
            </a>
          )}
          {retry(b('look_again'))}
        </Told>
      )
    }
    case 'expired':
      return (
        <Told tone="warn" title={b('expired_title')} text={b('expired_hint')}>
          {retry(b('look_again'))}
          {purchase.event && (
            <a class="button quiet" href={`#buy=${encodeURIComponent(purchase.event)}`}>
              {b('choose_again')}
            </a>
          )}
        </Told>
      )
    case 'refund_due':
      return (
        <Told tone="bad" title={b('refund_title')} text={b('refund_hint', { amount })}>
          <p class="mono small reference">{order?.provider_receipt_id}</p>
        </Told>
      )
    case 'no_answer':
      return (
        <Told tone="warn" title={b('lost_title')} text={b('lost_hint')}>
          {retry()}
        </Told>
      )
    case 'wrong_signature':
      return (
        <Told tone="bad" title={b('wrong_title')} text={b('wrong_hint')}>
          {retry(b('ask_again'))}
          <button
            class="button quiet"
            type="button"
            onClick={() => saveFile(complaint(purchase), 'wrong-signature.json')}
          >
            {b('complain')}
          </button>
        </Told>
      )
    case 'receipt_used':
      return (
        <Told tone="bad" title={b('used_title')} text={b('used_hint')}>
          {retry()}
        </Told>
      )
    case 'broken':
      return (
        <Told tone="bad" title={b('stopped_title')} text={b('broken_hint')}>
          {retry()}
        </Told>
      )
    case 'no_checker':
      return (
        <Told tone="bad" title={b('stopped_title')} text={b('no_checker')}>
          {retry()}
        </Told>
      )
    case 'key':
    case 'problem':
      return (
        <Told tone="bad" title={b('stopped_title')} text={stop.text}>
          {retry()}
          {purchase.event && !purchase.order && (
            <a class="button quiet" href={`#buy=${encodeURIComponent(purchase.event)}`}>
              {b('choose_again')}
            </a>
          )}
          {purchase.provider === 'VOUCHER' && !purchase.receipt && (
            <a class="button quiet" href="#voucher">
              {b('choose_again')}
            </a>
          )}
        </Told>
      )
  }
}

/** A deadline of minutes is read on this phone's own clock. */
const localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone

type ToldProps = { tone: string; title: string; text: string; children: ComponentChildren }

function Told({ tone, title, text, children }: ToldProps) {
  return (
    <div class={`notice stack tight ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <strong>{title}</strong>
      {text && <p>{text}</p>}
      <div class="row">{children}</div>
    </div>
  )
}
