// Asks a wallet to prove that it holds the ticket now: bytes that were never shown before, and only their answer is taken.
import { useEffect, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { base64url } from './base64url.ts'
import { t } from './menu-texts.ts'
import { challenge, gateNumber } from './state.ts'

const BYTES = 8
const GOOD_FOR_MS = 10_000

/** What the wallet reads: where it is asked, and what to sign. */
export const proofCode = (gate: number, bytes: Uint8Array) => `A1ASK:${gate}:${base64url(bytes)}`

export function askForProof(): void {
  challenge.value = {
    bytes: crypto.getRandomValues(new Uint8Array(BYTES)),
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
  const text = proofCode(gateNumber.value ?? 0, asked.bytes)
  return (
    <section class="proof" role="dialog" aria-label={t('proof')}>
      <strong>{t('proof_show')}</strong>
      <CodeImage svg={renderSVG(text, { ecc: 'M', border: 3 })} alt={t('proof_qr')} />
      <span class="mono">{[...asked.bytes].map(byte => byte.toString(16).padStart(2, '0')).join(' ')}</span>
      <span class="row">
        <span class="numeric">{t('proof_left', { seconds: Math.max(0, Math.ceil(left / 1000)) })}</span>
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
