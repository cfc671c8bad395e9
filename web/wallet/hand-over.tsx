// Handing a ticket on, or moving it to another phone: the offer's link as a picture and as a text, until it is taken.
import { useEffect, useState } from 'preact/hooks'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import { endOffer, offerTicket } from '../lib/api/ticket.ts'
import type { OfferMade, Ticket } from '../lib/api/types.ts'
import { dropMade, getMade, putMade } from '../lib/db/offer-db.ts'
import { toBase64Url } from '../lib/rotation/code.ts'
import { momentIn } from '../lib/time/zone.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { CopyButton } from '../lib/ui/copy-button.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { releaseOf } from './binding.ts'
import { h } from './transfer-texts.ts'

const SECRET_BYTES = 16

type To = 'give' | 'move'

/** Makes the offer, or the same one again: what its link holds is drawn once and kept. */
async function makeOffer(access: string, ticket: Ticket, to: To): Promise<OfferMade> {
  const kept = await getMade(access)
  const made =
    kept?.to === to
      ? kept
      : { access, to, secret: toBase64Url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES))) }
  await putMade(made)
  if (to === 'give') return offerTicket(access, { to, secret: made.secret })
  if (!ticket.rotation) throw new Error('a ticket that lives on no phone')
  return offerTicket(access, {
    to,
    secret: made.secret,
    release: await releaseOf(ticket.rotation, made.secret),
  })
}

type HandOverProps = { access: string; ticket: Ticket; to: To; onClose: () => void; onChanged: () => void }

export function HandOver({ access, ticket, to, onClose, onChanged }: HandOverProps) {
  const [offer, setOffer] = useState<OfferMade | null>(null)
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState<{ text: string; tone: string } | null>(null)
  const { transfer } = ticket

  const act = async (action: () => Promise<void>) => {
    setBusy(true)
    setSaid(null)
    try {
      await action()
    } catch (error) {
      if (!(error instanceof Problem || error instanceof NoAnswer)) throw error
      setSaid({ text: error instanceof Problem ? error.message : h('no_answer'), tone: 'bad' })
    } finally {
      setBusy(false)
    }
  }
  const make = () =>
    act(async () => {
      setOffer(await makeOffer(access, ticket, to))
      onChanged()
    })
  const end = () =>
    act(async () => {
      await endOffer(access)
      await dropMade(access)
      setOffer(null)
      setSaid({ text: h('ended'), tone: 'good' })
      onChanged()
    })
  // An offer that stands is shown at once.
  useEffect(() => {
    if (transfer?.state === 'offered' && transfer.to === to) void make()
  }, [])

  return (
    <Modal title={to === 'give' ? h('give_title') : h('move_title')} onClose={onClose}>
      {close => (
        <>
          <p>{to === 'give' ? h('give_text') : h('move_text')}</p>
          {to === 'give' && transfer?.transferable === 'approval' && <p>{h('give_approval')}</p>}
          {transfer?.state === 'asked' && <p class="notice warn">{h('waiting')}</p>}
          {said && (
            <p class={`notice ${said.tone}`} role="alert">
              {said.text}
            </p>
          )}
          {offer && <OfferLink offer={offer} ticket={ticket} />}
          <div class="row">
            {!offer && transfer?.state !== 'asked' && (
              <button class="button" type="button" disabled={busy} onClick={() => void make()}>
                {busy ? h('making') : to === 'give' ? h('make') : h('show')}
              </button>
            )}
            {(offer || transfer?.state === 'asked') && (
              <button class="button danger" type="button" disabled={busy} onClick={() => void end()}>
                {h('end')}
              </button>
            )}
            <button class="button quiet" type="button" onClick={close}>
              {h('close')}
            </button>
          </div>
        </>
      )}
    </Modal>
  )
}

function OfferLink({ offer, ticket }: { offer: OfferMade; ticket: Ticket }) {
  const share = { title: h('share_title', { event: ticket.event.name }), url: offer.url }
  return (
    <div class="stack offer" data-offer={offer.url}>
      <div class="offer-code">
        <CodeImage svg={offer.svg} alt={h('qr')} />
      </div>
      <p class="small">{h('scan')}</p>
      <div class="row">
        {'share' in navigator && (
          <button
            class="button quiet tight"
            type="button"
            // Whoever closes the phone's own sheet has changed their mind, no more.
            onClick={() => void navigator.share(share).catch(() => undefined)}
          >
            {h('share')}
          </button>
        )}
        <CopyButton
          text={() => offer.url}
          label={h('copy')}
          words={{ copy: h('copy'), copied: h('copied'), failed: h('copy_failed') }}
        />
      </div>
      <p class="small soft">{h('until', { at: momentIn(ticket.event.time_zone, offer.expires_at) })}</p>
    </div>
  )
}
