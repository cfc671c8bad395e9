// The ticket's receipt, checked on this phone: the core, the log's key of the first visit, and nobody's word.
import { useEffect, useState } from 'preact/hooks'
import { getLogKey, getReceipt } from '../lib/api/log.ts'
import type { MerkleValidation, Ticket } from '../lib/api/types.ts'
import { checkProof, NoChecker, ProofRefused, type Proven } from '../lib/core/proof.ts'
import { firstKey, keptKey, trustKey } from '../lib/db/log-keys.ts'
import { momentIn } from '../lib/time/zone.ts'
import { saveFile } from '../lib/ui/save-file.ts'
import { r } from './receipt-texts.ts'

type Outcome =
  | { state: 'checking' }
  | { state: 'holds'; proven: Proven }
  | { state: 'fails'; why: string }
  | { state: 'unknown'; text: string }
/** The key that is told now, when it is not the one of the first visit. */
type Checked = { outcome: Outcome; newKey: string | null }

async function check(ticket: Ticket, validation: MerkleValidation): Promise<Checked> {
  const { slug } = ticket.event
  const told = await getLogKey(slug).catch(() => null)
  const first = told ? firstKey(slug, told.vkey) : { vkey: keptKey(slug), changed: false }
  const newKey = first.changed && told ? told.vkey : null
  if (first.vkey === null) return { outcome: { state: 'unknown', text: r('first_needs') }, newKey }
  try {
    const proven = await checkProof(validation, first.vkey)
    if (proven.ticket !== ticket.number) {
      return { outcome: { state: 'fails', why: r('other_ticket') }, newKey }
    }
    return { outcome: { state: 'holds', proven }, newKey }
  } catch (error) {
    if (error instanceof ProofRefused) return { outcome: { state: 'fails', why: error.message }, newKey }
    if (error instanceof NoChecker) return { outcome: { state: 'unknown', text: r('no_checker') }, newKey }
    throw error
  }
}

export function Receipt({ ticket, validation }: { ticket: Ticket; validation: MerkleValidation }) {
  const [{ outcome, newKey }, setChecked] = useState<Checked>({
    outcome: { state: 'checking' },
    newKey: null,
  })
  const [failed, setFailed] = useState(false)
  const look = async () => setChecked(await check(ticket, validation))
  useEffect(() => {
    void look()
  }, [validation.checkpoint])
  const download = async () => {
    setFailed(false)
    try {
      const file = await getReceipt(ticket.event.slug, validation.inclusion_index)
      saveFile(file, `ticket-${ticket.number}.tlog-proof`)
    } catch {
      setFailed(true)
    }
  }
  return (
    <section class="card stack receipt" aria-labelledby="receipt-title">
      <h2 id="receipt-title">{r('title')}</h2>
      <p class="soft small">{r('what')}</p>
      {newKey && (
        <div class="notice bad stack" role="alert">
          <strong>{r('changed')}</strong>
          <p>{r('changed_hint')}</p>
          <div>
            <button
              class="button quiet"
              type="button"
              onClick={() => {
                trustKey(ticket.event.slug, newKey)
                void look()
              }}
            >
              {r('trust')}
            </button>
          </div>
        </div>
      )}
      <div role="status" data-receipt={outcome.state}>
        <Told outcome={outcome} zone={ticket.event.time_zone} />
      </div>
      <div class="row">
        <button class="button quiet" type="button" onClick={() => void download()}>
          {r('download')}
        </button>
        <button class="button quiet" type="button" onClick={() => void look()}>
          {r('again')}
        </button>
      </div>
      <div aria-live="polite">{failed && <p class="notice bad">{r('download_failed')}</p>}</div>
    </section>
  )
}

function Told({ outcome, zone }: { outcome: Outcome; zone: string }) {
  switch (outcome.state) {
    case 'checking':
      return <p class="soft">{r('checking')}</p>
    case 'unknown':
      return <p class="notice warn">{outcome.text}</p>
    case 'fails':
      return (
        <div class="notice bad">
          <strong>{r('fails')}</strong>
          <p>{r('fails_hint', { why: outcome.why })}</p>
        </div>
      )
    case 'holds': {
      const { index, size, at_ms } = outcome.proven
      const count = (value: number) => value.toLocaleString('en-GB')
      return (
        <div class="notice good">
          <strong>{r('holds', { number: count(index + 1), size: count(size) })}</strong>
          <p class="small">
            {r('entered', { at: momentIn(zone, new Date(at_ms).toISOString()) })} {r('by_itself')}
          </p>
        </div>
      )
    }
  }
}
