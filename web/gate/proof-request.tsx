// Asks a wallet to prove that it holds the ticket now: bytes that were never shown before, and only their answer is taken.
import { useEffect, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { askDigits, askText, GOOD_FOR_MS, NONCE_BYTES } from '../lib/rotation/ask.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { t } from './menu-texts.ts'
import { challenge, gateNumber } from './state.ts'

/** For somebody who types the question into a phone without a camera. */
const TYPED_MS = 60_000

export function askForProof(): void {
  challenge.value = {
    bytes: crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
    until: Date.now() + GOOD_FOR_MS,
  }
}

export function ProofRequest() {
  const [left, setLeft] = useState(GOOD_FOR_MS)
  const asked = challenge.value
  useEffect(() => {
    const timer = setInterval(() => {
      const now = (challenge.value?.until ?? 0) - Date.now()
      setLeft(now)
      if (now <= 0) challenge.value = null
    }, 250)
    return () => clearInterval(timer)
  }, [asked])
  if (!asked) return null
  const ask = { gate: gateNumber.value ?? 0, nonce: asked.bytes }
  return (
    <section class="proof" role="dialog" aria-label={t('proof')}>
      <strong>{t('proof_show')}</strong>
      <CodeImage svg={renderSVG(askText(ask), { ecc: 'M', border: 3 })} alt={t('proof_qr')} />
      <span class="small">{t('proof_typed', { gate: ask.gate })}</span>
      <span class="mono" data-ask={ask.gate}>
        {askDigits(ask)}
      </span>
      <span class="row">
        <span class="numeric">{t('proof_left', { seconds: Math.max(0, Math.ceil(left / 1000)) })}</span>
        <button
          class="button quiet tight"
          type="button"
          onClick={() => {
            challenge.value = { ...asked, until: Date.now() + TYPED_MS }
          }}
        >
          {t('proof_longer')}
        </button>
        <button
          class="button quiet tight"
          type="button"
          onClick={() => {
            challenge.value = null
          }}
        >
          {t('cancel')}
        </button>
      </span>
    </section>
  )
}
