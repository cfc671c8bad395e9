// The link of an offer, as its taker opens it: what it is, who takes it, and then the ticket itself.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { acceptOffer, getOffer } from '../lib/api/ticket.ts'
import type { AcceptInput, OfferShown } from '../lib/api/types.ts'
import { claimOf } from '../lib/db/offer-db.ts'
import { toBase64Url } from '../lib/rotation/code.ts'
import { momentIn } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { type FormErrors, focusFirstError, formErrors, noErrors } from '../lib/ui/form-errors.ts'
import { h } from './transfer-texts.ts'

const CLAIM_BYTES = 16
const drawn = () => toBase64Url(crypto.getRandomValues(new Uint8Array(CLAIM_BYTES)))

type State =
  | { step: 'loading' }
  | { step: 'open'; offer: OfferShown }
  | { step: 'asked'; offer: OfferShown }
  | { step: 'over' | 'taken' | 'no_answer' }

const failed = (error: unknown): State => {
  if (!(error instanceof Problem)) return { step: 'no_answer' }
  return { step: error.code === 'transfer_taken' ? 'taken' : 'over' }
}

/** Takes the offer, or asks what became of it: the ticket's credential once it is ours. */
async function take(link: string, input: Omit<AcceptInput, 'claim'>): Promise<string | null> {
  const claim = await claimOf(link, drawn)
  const { access } = await acceptOffer(link, { claim, ...input })
  return access
}

export function OfferPage({ link }: { link: string }) {
  const [state, setState] = useState<State>({ step: 'loading' })

  const done = (offer: OfferShown, access: string | null) => {
    if (access) location.replace(`#${access}`)
    else setState({ step: 'asked', offer })
  }
  const load = async () => {
    try {
      const offer = await getOffer(link)
      if (offer.state === 'offered') setState({ step: 'open', offer })
      else done(offer, await take(link, {}))
    } catch (error) {
      setState(failed(error))
    }
  }
  useEffect(() => void load(), [])

  if (state.step === 'loading') return <p class="waiting">{h('loading')}</p>
  if (state.step === 'open') {
    const { offer } = state
    return <Take link={link} offer={offer} onDone={access => done(offer, access)} onFailed={setState} />
  }
  if (state.step === 'asked') {
    return (
      <Message title={h('asked_title')} text={h('asked_text')} step={state.step}>
        <Facts offer={state.offer} />
        <div>
          <button class="button" type="button" onClick={() => void load()}>
            {h('look')}
          </button>
        </div>
      </Message>
    )
  }
  if (state.step === 'no_answer') {
    return (
      <Message title={h('take_title')} text={h('no_answer')} step={state.step}>
        <div>
          <button class="button quiet" type="button" onClick={() => void load()}>
            {h('look')}
          </button>
        </div>
      </Message>
    )
  }
  return <Message title={h(`${state.step}_title`)} text={h(`${state.step}_text`)} step={state.step} />
}

type MessageProps = { title: string; text: string; step: string; children?: preact.ComponentChildren }

function Message({ title, text, step, children }: MessageProps) {
  return (
    <div class="card stack" role="status" data-offer-step={step}>
      <h1>{title}</h1>
      <p>{text}</p>
      {children}
    </div>
  )
}

function Facts({ offer }: { offer: OfferShown }) {
  const { event } = offer
  return (
    <dl class="facts">
      <div class="wide">
        <dt class="label">{h('ticket')}</dt>
        <dd>
          <strong dir="auto">{event.name}</strong>
          <br />
          <span dir="auto">{offer.ticket_type.name}</span>
        </dd>
      </div>
      <div>
        <dt class="label">{h('when')}</dt>
        <dd>{momentIn(event.time_zone, event.starts_at)}</dd>
      </div>
      {event.venue && (
        <div>
          <dt class="label">{h('where')}</dt>
          <dd dir="auto">{event.venue}</dd>
        </div>
      )}
    </dl>
  )
}

type TakeProps = {
  link: string
  offer: OfferShown
  onDone: (access: string | null) => void
  onFailed: (state: State) => void
}

function Take({ link, offer, onDone, onFailed }: TakeProps) {
  const [busy, setBusy] = useState(false)
  const [errors, setErrors] = useState<FormErrors>(noErrors)
  const form = useRef<HTMLFormElement>(null)
  const sending = useRef(false)
  const give = offer.to === 'give'

  const send = async () => {
    if (sending.current || !form.current) return
    sending.current = true
    setBusy(true)
    const data = new FormData(form.current)
    const input: Omit<AcceptInput, 'claim'> = {}
    for (const name of ['name', 'email', 'phone'] as const) {
      const text = String(data.get(name) ?? '').trim()
      if (text || (name === 'name' && offer.named)) input[name] = text
    }
    try {
      onDone(await take(link, input))
    } catch (error) {
      sending.current = false
      setBusy(false)
      if (error instanceof Problem && error.status !== 422 && error.code !== 'transfer_refused') {
        return onFailed(failed(error))
      }
      const found = formErrors(error, h('no_answer'))
      const marked = Object.keys(found.fields).length > 0
      setErrors({ ...found, form: marked ? h('check_fields') : found.form })
      focusFirstError(form.current)
    }
  }
  const phone = offer.named && offer.phone !== 'hidden'
  return (
    <form
      ref={form}
      class="card stack"
      noValidate
      data-offer-step="open"
      onSubmit={submit => {
        submit.preventDefault()
        void send()
      }}
    >
      <h1>{give ? h('take_title') : h('move_here_title')}</h1>
      <Facts offer={offer} />
      <p>{give ? h('take_text') : h('move_here_text')}</p>
      {offer.approval && <p class="notice warn">{h('approval')}</p>}
      {errors.form && (
        <p class="notice bad" role="alert">
          {errors.form}
        </p>
      )}
      {offer.named && (
        <>
          <Field name="name" label={h('name')} error={errors.fields.name}>
            {control => <input {...control} type="text" dir="auto" autocomplete="name" maxLength={200} />}
          </Field>
          <Field name="email" label={h('email')} error={errors.fields.email}>
            {control => (
              <input {...control} type="email" autocomplete="email" inputMode="email" maxLength={254} />
            )}
          </Field>
        </>
      )}
      {phone && (
        <Field
          name="phone"
          label={h('phone')}
          error={errors.fields.phone}
          {...(offer.phone === 'optional' ? { optional: h('optional') } : {})}
        >
          {control => <input {...control} type="tel" autocomplete="tel" maxLength={40} />}
        </Field>
      )}
      <div>
        <button class="button" type="submit" disabled={busy}>
          {busy ? h('taking') : give ? h('take') : h('move_here')}
        </button>
      </div>
    </form>
  )
}
