// The settings of an event: ticket types and gates first, since nothing works without them, then the event itself.
import { changeEvent, getEvent } from '../lib/api/desk.ts'
import type { DeskEvent } from '../lib/api/types.ts'
import { EventForm } from './event-form.tsx'
import { GateList } from './gate-list.tsx'
import { eventPath, go } from './router.ts'
import { t } from './texts.ts'
import { TicketTypeList } from './ticket-type-list.tsx'

export function SettingsPage({
  event,
  onChange,
}: {
  event: DeskEvent
  onChange: (event: DeskEvent) => void
}) {
  const refresh = async () => onChange(await getEvent(event.slug))
  return (
    <div class="stack loose narrow">
      <TicketTypeList event={event} onChanged={refresh} />
      <GateList event={event} onChanged={refresh} />
      <EventForm
        key={event.number}
        event={event}
        submitText={t('save')}
        send={async input => {
          const changed = await changeEvent(event.slug, input)
          onChange(changed)
          if (changed.slug !== event.slug) go(eventPath(changed.slug, 'settings'))
        }}
      />
    </div>
  )
}
