// The keys that sign tickets unseen, and a new one in the place of one that may have leaked.
import { useEffect, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { listIssuerKeys, rotateIssuerKey } from '../lib/api/sales.ts'
import type { DeskEvent, IssuerKey } from '../lib/api/types.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { s } from './sales-texts.ts'
import { mayWrite } from './session.ts'

const SHOWN_ID = 12

const nameOf = ({ type_name, day }: IssuerKey) => `${type_name} · ${day ? dayText(day) : s('whole_event')}`

export function IssuerKeys({ event }: { event: DeskEvent }) {
  const [keys, setKeys] = useState<IssuerKey[] | null>(null)
  const [rotating, setRotating] = useState<IssuerKey | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const say = (error: unknown) =>
    setFailed(s('failed', { why: error instanceof Problem ? error.message : s('no_answer') }))
  const load = () => void listIssuerKeys(event.slug).then(setKeys, say)
  useEffect(load, [event.slug])
  const rotate = ({ ticket_type, day }: IssuerKey) => {
    setRotating(null)
    setFailed(null)
    rotateIssuerKey(event.slug, ticket_type, day).then(load, say)
  }
  return (
    <section class="card stack" data-keys={keys?.length}>
      <h3>{s('keys')}</h3>
      <p class="small soft">{s('keys_hint')}</p>
      {failed && (
        <p class="notice bad" role="alert">
          {failed}
        </p>
      )}
      {keys?.length === 0 && <p class="soft">{s('keys_none')}</p>}
      <ul class="plain lines">
        {keys?.map(key => (
          <li key={key.key_id} class="row apart">
            <span class="line-text">
              <strong dir="auto">{nameOf(key)}</strong>
              <span class="soft small numeric">
                {key.signs ? s('signs') : s('retired')} ·{' '}
                {key.sold_at_least > 0 ? s('sold_at_least', { count: key.sold_at_least }) : s('sold_few')} ·{' '}
                <span class="mono">{key.key_id.slice(0, SHOWN_ID)}</span>
              </span>
            </span>
            {mayWrite.value && key.signs && (
              <button
                class="button quiet tight"
                type="button"
                aria-label={`${s('rotate')}: ${nameOf(key)}`}
                onClick={() => setRotating(key)}
              >
                {s('rotate')}
              </button>
            )}
          </li>
        ))}
      </ul>
      {rotating && (
        <Confirm
          title={s('rotate_title', { name: nameOf(rotating) })}
          yes={s('rotate_yes')}
          no={s('cancel')}
          onNo={() => setRotating(null)}
          onYes={() => rotate(rotating)}
        >
          <p>{s('rotate_text')}</p>
        </Confirm>
      )}
    </section>
  )
}
