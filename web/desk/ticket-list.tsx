// The tickets of an event: find one by number or whole e-mail address, or page through them.
import { useEffect, useRef, useState } from 'preact/hooks'
import { issueTicket, listTickets } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import type { DeskEvent, DeskTicket, IssueInput } from '../lib/api/types.ts'
import { momentIn, preciseTimeIn } from '../lib/time/zone.ts'
import { Field } from '../lib/ui/field.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { FormStatus } from './form-status.tsx'
import { go, ticketPath } from './router.ts'
import { mayWrite } from './session.ts'
import { plural, t } from './texts.ts'
import { StatusTag } from './ticket-status.tsx'
import { TransferList } from './transfer-list.tsx'
import { textOf, useForm } from './use-form.ts'

const PAGE = 50

type Found = { tickets: DeskTicket[]; next: string | null; total: number }

export function TicketList({ event }: { event: DeskEvent }) {
  const [filter, setFilter] = useState({ query: '', status: '' })
  const [found, setFound] = useState<Found | null>(null)
  const [error, setError] = useState<string | null>(null)
  const [issuing, setIssuing] = useState(false)
  const run = useRef(0)

  const load = async (cursor?: string) => {
    run.current += 1
    const mine = run.current
    setError(null)
    try {
      const page = await listTickets(event.slug, { ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) })
      if (mine !== run.current) return
      setFound(before => ({
        tickets: cursor && before ? [...before.tickets, ...page.tickets] : page.tickets,
        next: page.next_cursor,
        total: page.total,
      }))
    } catch (failure) {
      if (mine === run.current) setError(failure instanceof Problem ? failure.message : t('no_answer'))
    }
  }
  useEffect(() => void load(), [filter])

  return (
    <section class="stack">
      <h2 class="hidden-text">{t('tickets')}</h2>
      <TransferList event={event} onChanged={() => void load()} />
      <search>
        <form
          class="search card"
          onSubmit={submit => {
            submit.preventDefault()
            const data = new FormData(submit.currentTarget)
            setFilter({ query: textOf(data, 'query'), status: textOf(data, 'status') })
          }}
        >
          <Field name="query" label={t('search')} hint={t('search_hint')}>
            {control => <input {...control} type="search" autocomplete="off" spellcheck={false} />}
          </Field>
          <Field name="status" label={t('status')}>
            {control => (
              <select
                {...control}
                onChange={change => setFilter(before => ({ ...before, status: change.currentTarget.value }))}
              >
                <option value="">{t('status_any')}</option>
                <option value="issued">{t('status_issued')}</option>
                <option value="used">{t('status_used')}</option>
                <option value="revoked">{t('status_revoked')}</option>
                <option value="transferred">{t('status_transferred')}</option>
              </select>
            )}
          </Field>
          <div class="row search-buttons">
            <button class="button" type="submit">
              {t('search_go')}
            </button>
            {mayWrite.value && (
              <button class="button quiet" type="button" onClick={() => setIssuing(true)}>
                {t('issue_ticket')}
              </button>
            )}
          </div>
        </form>
      </search>
      {error && (
        <div class="notice bad row apart" role="alert">
          <span>{error}</span>
          <button class="button quiet tight" type="button" onClick={() => void load()}>
            {t('try_again')}
          </button>
        </div>
      )}
      <p class="small soft numeric" role="status">
        {found ? plural('found', found.total) : t('loading')}
      </p>
      {found && found.tickets.length === 0 && (
        <Empty filtered={filter.query !== '' || filter.status !== ''} />
      )}
      {found && found.tickets.length > 0 && (
        <table class="tickets">
          <thead>
            <tr>
              <th scope="col">{t('number')}</th>
              <th scope="col">{t('holder')}</th>
              <th scope="col">{t('type')}</th>
              <th scope="col">{t('status')}</th>
              <th scope="col">{t('first_entry')}</th>
            </tr>
          </thead>
          <tbody>
            {found.tickets.map(ticket => (
              <tr key={ticket.number}>
                <th scope="row">
                  <a class="mono" href={ticketPath(event.slug, ticket.number)}>
                    {ticket.number}
                  </a>
                </th>
                <td>
                  {ticket.erased ? <em class="soft">{t('erased')}</em> : <bdi>{ticket.name ?? '–'}</bdi>}
                  {ticket.email && <span class="small soft cell-more">{ticket.email}</span>}
                </td>
                <td>
                  <bdi>{ticket.ticket_type.name}</bdi>
                </td>
                <td>
                  <StatusTag ticket={ticket} />
                </td>
                <td class="numeric small">
                  {ticket.first_admitted_at ? (
                    <span title={momentIn(event.time_zone, ticket.first_admitted_at)}>
                      {preciseTimeIn(event.time_zone, ticket.first_admitted_at)} {ticket.first_gate}
                    </span>
                  ) : (
                    <span class="soft">–</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found?.next && (
        <div>
          <button class="button quiet" type="button" onClick={() => void load(found.next ?? undefined)}>
            {t('more')}
          </button>
        </div>
      )}
      {issuing && (
        <Modal title={t('issue_ticket')} onClose={() => setIssuing(false)}>
          {close => <IssueForm event={event} onCancel={close} />}
        </Modal>
      )}
    </section>
  )
}

function Empty({ filtered }: { filtered: boolean }) {
  return (
    <div class="card">
      <h3>{filtered ? t('none_found') : t('no_tickets')}</h3>
      <p class="soft">{filtered ? t('none_found_hint') : t('no_tickets_hint')}</p>
    </div>
  )
}

function IssueForm({ event, onCancel }: { event: DeskEvent; onCancel: () => void }) {
  const { busy, errors, props } = useForm(async data => {
    const input: IssueInput = { ticket_type: Number(textOf(data, 'ticket_type')) }
    const name = textOf(data, 'name')
    const email = textOf(data, 'email')
    if (name) input.name = name
    if (email) input.email = email
    const ticket = await issueTicket(event.slug, input)
    onCancel()
    go(ticketPath(event.slug, ticket.number))
  })
  if (event.ticket_types.length === 0) return <p class="soft">{t('ticket_types_none')}</p>
  return (
    <form class="stack" {...props}>
      <FormStatus errors={errors} saved={false} />
      <Field name="ticket_type" label={t('type')} error={errors.fields.ticket_type}>
        {control => (
          <select {...control}>
            {event.ticket_types.map(type => (
              <option key={type.number} value={type.number}>
                {type.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field name="name" label={t('name')} optional={t('optional')} error={errors.fields.name}>
        {control => <input {...control} type="text" dir="auto" maxLength={200} autocomplete="off" />}
      </Field>
      <Field name="email" label={t('email')} optional={t('optional')} error={errors.fields.email}>
        {control => <input {...control} type="email" maxLength={254} autocomplete="off" />}
      </Field>
      <div class="row">
        <button class="button" type="submit" disabled={busy}>
          {busy ? t('saving') : t('issue')}
        </button>
        <button class="button quiet" type="button" onClick={onCancel}>
          {t('cancel')}
        </button>
      </div>
    </form>
  )
}
