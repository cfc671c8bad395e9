// A ticket without a name as a stub in the list.
import type { Token } from '../lib/anonymous/purchase.ts'
import { validityOf } from '../lib/anonymous/validity.ts'
import { dayPartsIn } from '../lib/time/zone.ts'

/** The day that stands on the stub: its own, or the last on which it is good. */
const stubDay = ({ terms }: Token) =>
  terms.day
    ? dayPartsIn('UTC', `${terms.day}T12:00:00Z`)
    : dayPartsIn(terms.zone, terms.notBefore ?? terms.expires)

export function TokenStub({ token }: { token: Token }) {
  const { terms, number } = token
  const { day, month } = stubDay(token)
  const validity = validityOf(terms, Date.now())
  return (
    <a class="stub kept" href={`#token=${number}`}>
      <span class="date-stub">
        <strong>{day}</strong>
        <span>{month}</span>
      </span>
      <span class="kept-face">
        <strong dir="auto">{terms.eventName}</strong>
        <span class="soft">
          {terms.typeName} · {validity.text}
        </span>
        <span class="mono small soft">{number}</span>
      </span>
    </a>
  )
}
