// Pairing by the desk's link or by its code, and the screen of a device that was removed.
import { useRef, useState } from 'preact/hooks'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import { Field } from '../lib/ui/field.tsx'
import { focusFirstError } from '../lib/ui/form-errors.ts'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { pairDevice, unpair } from './actions.ts'
import { saveJournal } from './journal-file.ts'
import { groupCode, isWholeCode, offeredCode } from './pairing-code.ts'
import { plural, t } from './pairing-texts.ts'
import { unlockSound } from './sound.ts'
import { pairingNotice, setup, status } from './state.ts'

function errorText(error: unknown): string {
  if (error instanceof NoAnswer) return t('no_answer')
  if (!(error instanceof Problem)) throw error
  if (error.code === 'pairing_code_invalid') return t('pair_invalid')
  return error.status === 429 ? t('pair_rate') : error.message
}

const keepAsItIs = () => {
  offeredCode.value = null
}

export function PairingScreen() {
  const form = useRef<HTMLFormElement>(null)
  const [code, setCode] = useState(offeredCode.value ?? '')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const current = setup.value

  const go = async () => {
    if (busy) return
    unlockSound()
    if (!isWholeCode(code)) {
      setError(t('pair_short'))
      return focusFirstError(form.current)
    }
    setBusy(true)
    setError(null)
    try {
      await pairDevice(code)
      offeredCode.value = null
    } catch (problem) {
      setError(errorText(problem))
      setBusy(false)
      focusFirstError(form.current)
    }
  }

  return (
    <main class="plain-screen">
      <span class="wordmark">
        <Wordmark />
      </span>
      <form
        ref={form}
        class="card stack"
        noValidate
        onSubmit={event => {
          event.preventDefault()
          void go()
        }}
      >
        <h1>{current ? t('pair_again_title') : t('pair_title')}</h1>
        {pairingNotice.value && <p class="notice warn">{pairingNotice.value}</p>}
        <p class="soft">{current ? t('pair_again', { event: current.event.name }) : t('pair_how')}</p>
        <Field name="code" label={t('pair_code')} hint={t('pair_hint')} error={error ?? undefined}>
          {control => (
            <input
              {...control}
              class="mono pair-input"
              type="text"
              value={code}
              onInput={event => {
                const input = event.currentTarget
                const atEnd = input.selectionStart === input.value.length
                setCode(atEnd ? groupCode(input.value) : input.value.toUpperCase())
              }}
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
              placeholder="XXXX-XXXX-XXXX-XXXX"
            />
          )}
        </Field>
        <button class="button wide huge" type="submit" disabled={busy}>
          {busy ? t('pairing') : current ? t('pair_again_yes') : t('pair_go')}
        </button>
        {current && (
          <button class="button quiet wide" type="button" onClick={keepAsItIs}>
            {t('pair_again_no')}
          </button>
        )}
      </form>
    </main>
  )
}

export function RemovedScreen() {
  const unsent = status.value?.pending ?? 0
  return (
    <main class="plain-screen">
      <span class="wordmark">
        <Wordmark />
      </span>
      <div class="card stack" role="alert">
        <h1>{t('removed_title')}</h1>
        <p>{t('removed')}</p>
        {unsent > 0 && (
          <>
            <p class="notice warn">{plural('removed_unsent', unsent)}</p>
            <button class="button" type="button" onClick={() => void saveJournal()}>
              {t('save_journal')}
            </button>
          </>
        )}
        <button class="button quiet" type="button" onClick={() => void unpair()}>
          {unsent > 0 ? t('pair_new_delete') : t('pair_new')}
        </button>
      </div>
    </main>
  )
}
