// The question before a ticket without a name is exchanged for one that only this phone can show.
import { useState } from 'preact/hooks'
import type { Token } from '../lib/anonymous/purchase.ts'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import { Modal } from '../lib/ui/modal.tsx'
import { exchange, NoKey } from './exchange.ts'
import { n } from './token-texts.ts'

type TokenExchangeProps = { token: Token; onClose: () => void; onDone: () => void }

function wordsFor(error: unknown): string {
  if (error instanceof NoKey) return n('exchange_no_key')
  if (error instanceof Problem) return n('exchange_refused', { why: error.message })
  if (error instanceof NoAnswer) return n('exchange_lost')
  throw error
}

export function TokenExchange({ token, onClose, onDone }: TokenExchangeProps) {
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<string | null>(null)
  const go = async () => {
    setBusy(true)
    setFailed(null)
    try {
      const access = await exchange(token)
      onDone()
      location.hash = access
    } catch (error) {
      setFailed(wordsFor(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal title={n('exchange_title')} onClose={onClose}>
      {close => (
        <>
          <p>{n('exchange_text')}</p>
          <p class="small soft">{n('exchange_learns')}</p>
          {failed && (
            <p class="notice bad" role="alert">
              {failed}
            </p>
          )}
          <div class="row">
            <button class="button" type="button" disabled={busy} onClick={() => void go()}>
              {busy ? n('exchanging') : n('exchange_yes')}
            </button>
            <button class="button quiet" type="button" onClick={close}>
              {n('exchange_no')}
            </button>
          </div>
        </>
      )}
    </Modal>
  )
}
