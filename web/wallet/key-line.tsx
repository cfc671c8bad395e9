// What this phone found out about the organiser's key, before anybody pays for its signature.
import { useEffect, useState } from 'preact/hooks'
import { FEW, KeyRefused, NoKeyYet, signingKey } from '../lib/anonymous/issuer-key.ts'
import { NoAnswer, Problem } from '../lib/api/http.ts'
import { b } from './buy-texts.ts'

export type KeyCheck =
  | { state: 'waiting' | 'checking' }
  | { state: 'holds'; soldAtLeast: number }
  /** Nobody bought such a ticket yet: its key is checked between the order and the payment. */
  | { state: 'first' }
  | { state: 'fails'; text: string }

/** `day` is empty while none is chosen: then there is nothing to check. */
export function useKeyCheck(event: string, ticketType: number | null, day: string | null): KeyCheck {
  const [check, setCheck] = useState<KeyCheck>({ state: 'checking' })
  useEffect(() => {
    let here = true
    if (ticketType === null || day === '') return setCheck({ state: 'waiting' })
    setCheck({ state: 'checking' })
    signingKey(event, ticketType, day).then(
      ({ soldAtLeast }) => here && setCheck({ state: 'holds', soldAtLeast }),
      error =>
        here &&
        setCheck(error instanceof NoKeyYet ? { state: 'first' } : { state: 'fails', text: wordsFor(error) }),
    )
    return () => {
      here = false
    }
  }, [event, ticketType, day])
  return check
}

function wordsFor(error: unknown): string {
  if (error instanceof KeyRefused || error instanceof Problem) return error.message
  // Without a secure context or the core nothing can be checked; what that is called does not help anybody here.
  return error instanceof NoAnswer ? b('no_answer') : b('no_checker')
}

export function KeyLine({ check }: { check: KeyCheck }) {
  return (
    <div role="status" class="stack tight" data-key={check.state}>
      {check.state === 'checking' && <p class="small soft">{b('checking_key')}</p>}
      {check.state === 'fails' && <p class="notice bad">{check.text}</p>}
      {check.state === 'first' && (
        <>
          <p class="notice warn">{b('few')}</p>
          <p class="small soft">{b('key_first')}</p>
        </>
      )}
      {check.state === 'holds' && (
        <>
          {check.soldAtLeast < FEW && <p class="notice warn">{b('few')}</p>}
          <p class="small soft">
            <span aria-hidden="true">✓ </span>
            {b('key_holds')}
          </p>
        </>
      )}
    </div>
  )
}
