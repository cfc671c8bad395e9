// A new event; afterwards its settings, where ticket types and gates come next.
import { createEvent } from '../lib/api/desk.ts'
import { EventForm } from './event-form.tsx'
import { eventPath, go } from './router.ts'
import { t } from './texts.ts'

export function NewEvent() {
  return (
    <div class="stack loose narrow">
      <div>
        <p class="small">
          <a href="/desk/">{t('events')}</a>
        </p>
        <h1>{t('new_event')}</h1>
      </div>
      <EventForm
        submitText={t('create_event')}
        send={async input => {
          const event = await createEvent(input)
          go(eventPath(event.slug, 'settings'))
        }}
      />
    </div>
  )
}
