// A gate's question by hand, for phones whose camera does not work.
import { useState } from 'preact/hooks'
import { type Ask, typedAsk } from '../lib/rotation/ask.ts'
import { Field } from '../lib/ui/field.tsx'
import { p } from './proof-texts.ts'

export function TypedAsk({ answer }: { answer: (ask: Ask) => void }) {
  const [gate, setGate] = useState('')
  const [digits, setDigits] = useState('')
  const [tried, setTried] = useState(false)
  const gateWrong = tried && !typedAsk(gate, '0'.repeat(16))
  const digitsWrong = tried && !typedAsk('1', digits)
  return (
    <details>
      <summary class="typed-summary">{p('type')}</summary>
      <form
        class="stack typed-ask"
        noValidate
        onSubmit={event => {
          event.preventDefault()
          const ask = typedAsk(gate, digits)
          setTried(!ask)
          if (ask) answer(ask)
        }}
      >
        <Field name="ask_gate" label={p('gate')} error={gateWrong ? p('gate_wrong') : undefined}>
          {control => (
            <input
              {...control}
              type="text"
              inputmode="numeric"
              autocomplete="off"
              value={gate}
              onInput={event => setGate(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field name="ask_digits" label={p('digits')} error={digitsWrong ? p('digits_wrong') : undefined}>
          {control => (
            <input
              {...control}
              class="mono"
              type="text"
              autocomplete="off"
              autocapitalize="off"
              autocorrect="off"
              spellcheck={false}
              enterkeyhint="go"
              value={digits}
              onInput={event => setDigits(event.currentTarget.value)}
            />
          )}
        </Field>
        <button class="button" type="submit">
          {p('answer')}
        </button>
      </form>
    </details>
  )
}
