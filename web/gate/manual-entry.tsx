// A code by hand: typed, pasted, or scanned into the field by a hand scanner.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Field } from '../lib/ui/field.tsx'
import { presentCode } from './actions.ts'
import { t } from './texts.ts'

export function ManualEntry({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [code, setCode] = useState('')
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const canPaste = typeof navigator.clipboard?.readText === 'function'
  return (
    <dialog ref={dialog} aria-labelledby="entry-title" onClose={onClose}>
      <form
        class="stack"
        onSubmit={event => {
          event.preventDefault()
          const text = code.trim()
          dialog.current?.close()
          presentCode(text)
        }}
      >
        <h2 id="entry-title">{t('enter_title')}</h2>
        <Field name="manual" label={t('enter_label')} hint={t('enter_hint')}>
          {control => (
            <input
              {...control}
              class="mono"
              type="text"
              value={code}
              onInput={event => setCode(event.currentTarget.value)}
              autocomplete="off"
              autocapitalize="off"
              autocorrect="off"
              spellcheck={false}
              enterkeyhint="go"
            />
          )}
        </Field>
        <div class="row">
          <button class="button huge" type="submit" disabled={code.trim() === ''}>
            {t('check')}
          </button>
          {canPaste && (
            <button
              class="button quiet huge"
              type="button"
              onClick={() => void navigator.clipboard.readText().then(setCode, () => undefined)}
            >
              {t('paste')}
            </button>
          )}
          <button class="button quiet huge" type="button" onClick={() => dialog.current?.close()}>
            {t('cancel')}
          </button>
        </div>
      </form>
    </dialog>
  )
}
