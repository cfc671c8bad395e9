// The head of every page of one event: its name, its date, and its sections.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { DeskEvent } from '../lib/api/types.ts'
import { momentIn, zoneLabel } from '../lib/time/zone.ts'
import { eventPath, type Section } from './router.ts'
import { mayWrite } from './session.ts'
import { t } from './texts.ts'

type EventFrameProps = { event: DeskEvent; section: Section; children: ComponentChildren }

export function EventFrame({ event, section, children }: EventFrameProps) {
  const tabs: [Section, string][] = [
    ['live', t('tab_live')],
    ['tickets', t('tab_tickets')],
    ['sales', t('tab_sales')],
    ['devices', t('tab_devices')],
    ['doubles', t('tab_doubles')],
    ['settings', t('tab_settings')],
    ['log', t('tab_log')],
  ]
  const current = tabs.find(([name]) => name === section)?.[1] ?? ''
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    document.title = `${current} · ${event.name} · Admit One`
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current, event.name])
  return (
    <div class="stack loose">
      <div class="event-head">
        <p class="small">
          <a href="/desk/">{t('events')}</a>
        </p>
        <h1 dir="auto">{event.name}</h1>
        <p class="soft small">
          <span dir="auto">{event.venue}</span> · {momentIn(event.time_zone, event.starts_at)},{' '}
          {zoneLabel(event.time_zone, event.starts_at)} ·{' '}
          <a href={`/e/${encodeURIComponent(event.slug)}`} target="_blank" rel="noopener">
            {t('public_page')}
          </a>
        </p>
        <nav ref={nav} class="tabs" aria-label={t('event_sections')}>
          {tabs.map(([name, label]) => (
            <a
              key={name}
              href={eventPath(event.slug, name)}
              aria-current={name === section ? 'page' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
      </div>
      {!mayWrite.value && !['live', 'doubles', 'log'].includes(section) && (
        <p class="notice">{t('viewer_hint')}</p>
      )}
      {children}
    </div>
  )
}
