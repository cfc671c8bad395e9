// The steps of a purchase: done, now, or to come, in words and signs.
import type { Purchase } from '../lib/anonymous/purchase.ts'
import { b } from './buy-texts.ts'

/** How many of the five steps are behind a purchase. */
export function stepsDone({ provider, order, receipt, blanks, done, wish }: Purchase): number {
  const voucher = provider === 'VOUCHER'
  if (!(voucher ? receipt : order)) return 0
  const drawn = (wish?.quantity ?? 0) > 0 && blanks.length + done >= (wish?.quantity ?? 0)
  if (!drawn) return 1
  if (!receipt) return 2
  return blanks.every(({ signed }) => signed) ? 4 : 3
}

export function PurchaseSteps({ purchase, going }: { purchase: Purchase; going: boolean }) {
  const voucher = purchase.provider === 'VOUCHER'
  const words = [
    voucher ? b('step_voucher') : b('step_order'),
    b('step_blind'),
    ...(voucher ? [] : [b('step_pay')]),
    b('step_sign'),
    b('step_keep'),
  ]
  const all = stepsDone(purchase)
  // A voucher is paid with the first step.
  const behind = voucher && all > 2 ? all - 1 : all
  return (
    <ol class="steps">
      {words.map((text, at) => {
        const state = at < behind ? 'done' : at === behind ? 'now' : 'open'
        return (
          <li
            key={text}
            class={`step ${state} ${going ? '' : 'still'}`}
            aria-current={state === 'now' ? 'step' : undefined}
          >
            <span class="step-sign" aria-hidden="true">
              {state === 'done' ? '✓' : at + 1}
            </span>
            <span>
              {text}
              <span class="hidden-text"> ({b(`state_${state}`)})</span>
            </span>
          </li>
        )
      })}
    </ol>
  )
}
