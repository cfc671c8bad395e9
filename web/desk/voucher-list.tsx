// Vouchers by batch: how many were redeemed, make more, and void what was not.
import { useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { voidVouchers } from '../lib/api/sales.ts'
import type { DeskEvent, Sales, VoucherBatch } from '../lib/api/types.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { s, sp } from './sales-texts.ts'
import { mayWrite } from './session.ts'
import { VoucherForm } from './voucher-form.tsx'

type VoucherListProps = { event: DeskEvent; sales: Sales; onChanged: () => void }

export function VoucherList({ event, sales, onChanged }: VoucherListProps) {
  const [making, setMaking] = useState(false)
  const [voiding, setVoiding] = useState<VoucherBatch | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const { vouchers, wrong_vouchers_today: wrong } = sales
  const makeVoid = ({ batch }: VoucherBatch) => {
    setVoiding(null)
    setFailed(null)
    voidVouchers(event.slug, batch).then(onChanged, error =>
      setFailed(s('failed', { why: error instanceof Problem ? error.message : s('no_answer') })),
    )
  }
  return (
    <section class="card stack" data-vouchers={vouchers.length}>
      <div class="row apart">
        <h3>{s('vouchers')}</h3>
        {mayWrite.value && (
          <button class="button quiet tight" type="button" onClick={() => setMaking(true)}>
            {s('make')}
          </button>
        )}
      </div>
      {failed && (
        <p class="notice bad" role="alert">
          {failed}
        </p>
      )}
      {vouchers.length === 0 && <p class="soft">{s('vouchers_none')}</p>}
      {vouchers.length > 0 && (
        <ul class="plain lines">
          {vouchers.map(batch => (
            <li key={batch.batch} class="stack">
              <div class="row apart">
                <span class="line-text">
                  <strong dir="auto">{batch.label || `#${batch.batch}`}</strong>
                  <span class="soft small">{describe(batch, event)}</span>
                </span>
                {batch.voided ? (
                  <span class="tag bad">{s('voided')}</span>
                ) : (
                  mayWrite.value && (
                    <button
                      class="button danger tight"
                      type="button"
                      aria-label={`${s('void')}: ${batch.label}`}
                      onClick={() => setVoiding(batch)}
                    >
                      {s('void')}
                    </button>
                  )
                )}
              </div>
              <span class="small numeric">
                {s('redeemed', { redeemed: batch.redeemed, count: batch.count })}
                <meter
                  class="bar-line"
                  value={batch.redeemed}
                  max={Math.max(1, batch.count)}
                  aria-hidden="true"
                />
              </span>
            </li>
          ))}
        </ul>
      )}
      {wrong > 0 && <p class="notice warn">{sp('wrong_today', wrong)}</p>}
      {making && (
        <Modal
          title={s('make')}
          onClose={() => {
            setMaking(false)
            onChanged()
          }}
        >
          {close => <VoucherForm event={event} onClose={close} />}
        </Modal>
      )}
      {voiding && (
        <Confirm
          title={s('void_title', { label: voiding.label || `#${voiding.batch}` })}
          yes={s('void')}
          no={s('cancel')}
          onNo={() => setVoiding(null)}
          onYes={() => makeVoid(voiding)}
        >
          <p>{s('void_text')}</p>
        </Confirm>
      )}
    </section>
  )
}

function describe(batch: VoucherBatch, event: DeskEvent): string {
  const zone = event.time_zone
  return [
    event.ticket_types.find(({ number }) => number === batch.ticket_type)?.name,
    batch.day && dayText(batch.day),
    batch.quantity > 1 && sp('each', batch.quantity),
    s('made_at', { at: momentIn(zone, batch.created_at) }),
    batch.expires_at && s('until', { at: momentIn(zone, batch.expires_at) }),
  ]
    .filter(Boolean)
    .join(' · ')
}
