// The changing code of a ticket as state; what makes and draws it is loaded only for tickets that have one.
import { useEffect, useState } from 'preact/hooks'
import type { KeptTicket } from '../lib/db/wallet-db.ts'
import type { Failure } from './binding.ts'
import type { LiveCode } from './live-code.ts'

/** `wanted`: the ticket may still be shown. */
export type Live = { wanted: boolean; code: LiveCode | null; failure: Failure | null; again: () => void }

export function useLiveCode(
  kept: KeptTicket,
  fresh: boolean,
  onBound: (kept: KeptTicket) => void,
): Live | null {
  const [code, setCode] = useState<LiveCode | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [tries, setTries] = useState(0)
  const { rotation, status } = kept.ticket
  const wanted = Boolean(rotation) && status !== 'revoked' && status !== 'transferred'
  useEffect(() => {
    if (!wanted) return
    let stop = () => {}
    let here = true
    const onCode = (next: LiveCode) => {
      setCode(next)
      setFailure(null)
    }
    import('./live-code.ts').then(
      part => {
        if (here) stop = part.follow(kept, fresh, { onBound, onCode, onFailure: setFailure })
      },
      () => setFailure('no_answer'),
    )
    return () => {
      here = false
      stop()
    }
  }, [wanted, fresh, kept.checkedAt, rotation?.head, tries])
  if (!rotation) return null
  const again = () => {
    setFailure(null)
    setTries(tries + 1)
  }
  // What went or was withdrawn is told as that, whatever became of its key.
  return { wanted, code: wanted ? code : null, failure: wanted ? failure : null, again }
}
