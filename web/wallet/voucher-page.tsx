// A voucher becomes a ticket: its code typed, or read by the camera.
import { useEffect, useRef, useState } from 'preact/hooks'
import { readVoucher } from '../lib/anonymous/voucher.ts'
import { useReader } from '../lib/camera/use-reader.ts'
import { Field } from '../lib/ui/field.tsx'
import { focusFirstError } from '../lib/ui/form-errors.ts'
import { beginVoucher } from './begin-purchase.ts'
import { b } from './buy-texts.ts'

export function VoucherPage({ code: given }: { code: string }) {
  const form = useRef<HTMLFormElement>(null)
  const sending = useRef(false)
  const [text, setText] = useState(given)
  const [wrong, setWrong] = useState(false)
  const [reading, setReading] = useState(false)
  const [kept, setKept] = useState(true)

  useEffect(() => {
    document.title = b('voucher_title')
    // The code is worth money: it stays neither in the address nor in the history.
    if (given) history.replaceState(null, '', '#voucher')
  }, [])

  const use = async (code: string | null) => {
    setWrong(!code)
    if (!code) return focusFirstError(form.current)
    if (sending.current) return
    sending.current = true
    setReading(false)
    try {
      await beginVoucher(code)
    } catch {
      sending.current = false
      setKept(false)
    }
  }
  return (
    <form
      ref={form}
      class="card stack loose buy"
      noValidate
      onSubmit={submit => {
        submit.preventDefault()
        void use(readVoucher(text))
      }}
    >
      <div class="stack tight">
        <h1>{b('voucher_title')}</h1>
        <p class="soft">{b('voucher_text')}</p>
      </div>
      <Field
        name="voucher"
        label={b('voucher_code')}
        hint={b('voucher_hint')}
        error={wrong ? b('voucher_wrong') : undefined}
      >
        {control => (
          <input
            {...control}
            class="mono voucher-code"
            type="text"
            autocomplete="off"
            autocapitalize="characters"
            autocorrect="off"
            spellcheck={false}
            enterkeyhint="go"
            maxLength={40}
            value={text}
            onInput={event => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      {!kept && (
        <p class="notice bad" role="alert">
          {b('cannot_keep')}
        </p>
      )}
      {reading && <VoucherCamera found={code => void use(code)} />}
      <div class="stack tight">
        <button class="button wide" type="submit">
          {b('voucher_go')}
        </button>
        <button class="button quiet wide" type="button" onClick={() => setReading(!reading)}>
          {reading ? b('camera_stop') : b('voucher_camera')}
        </button>
      </div>
    </form>
  )
}

function VoucherCamera({ found }: { found: (code: string) => void }) {
  const video = useRef<HTMLVideoElement>(null)
  const [other, setOther] = useState(false)
  const { camera, trouble } = useReader(video, 0, {
    read: text => {
      const code = readVoucher(text)
      setOther(!code)
      if (code) found(code)
    },
  })
  return (
    <>
      <section class="ask-camera" aria-label={b('camera')} hidden={trouble !== null}>
        <video ref={video} playsInline muted hidden={!camera} />
        {!camera && <p>{b('camera_starting')}</p>}
      </section>
      <div aria-live="polite">
        {trouble && <p class="notice warn">{trouble === 'denied' ? b('camera_denied') : b('camera_none')}</p>}
        {other && !trouble && <p class="notice warn">{b('camera_other')}</p>}
      </div>
    </>
  )
}
