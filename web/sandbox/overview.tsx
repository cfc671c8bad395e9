// What the sandbox is, whether it answers, and what a ticket can be told to do.
import { useState } from 'preact/hooks'
import { ask, controls, EDGE_EVENT, refreshLog, TICKET_EVENT } from './ask.ts'
import { session } from './session.ts'
import { t } from './texts.ts'
import { Doing, Sign } from './ui.tsx'

export function Overview() {
  return (
    <div class="stack loose">
      <div class="stack">
        <h1>{t('title')}</h1>
        <p class="lead">{t('intro')}</p>
      </div>
      <section class="card row apart callout">
        <p>{t('checklist_lead')}</p>
        <a class="button" href="#checklist">
          {t('checklist_open')}
        </a>
      </section>
      <div class="columns">
        <Logs />
        <Health />
      </div>
      <Controls />
    </div>
  )
}

function Logs() {
  const refresh = async () => {
    for (const event of [TICKET_EVENT, EDGE_EVENT]) await refreshLog(event)
  }
  return (
    <section class="card stack" aria-labelledby="logs-title">
      <div class="row apart">
        <h2 id="logs-title">{t('logs')}</h2>
        <Doing run={refresh}>{t('refresh')}</Doing>
      </div>
      <p class="soft small">{t('logs_hint')}</p>
      {Object.entries(session.value.logs).map(([event, log]) => (
        <dl key={event} class="facts">
          <dt>{t('log')}</dt>
          <dd class="mono">{event}</dd>
          <dt>{t('size')}</dt>
          <dd class="numeric">{log.newest.size.toLocaleString('en-GB')}</dd>
          <dt>{t('root')}</dt>
          <dd class="mono small" data-root={event}>
            {log.newest.root}
          </dd>
        </dl>
      ))}
    </section>
  )
}

const endpoints = [
  '/health',
  '/ready',
  '/v1/sandbox',
  '/v1/tickets/controls',
  `/v1/events/${TICKET_EVENT}/log`,
  `/v1/events/${EDGE_EVENT}/log`,
  `/v1/tickets/edge/spent/export?event=${EDGE_EVENT}&gate=no-such-gate`,
  `/v1/tickets/edge/conflicts?event=${EDGE_EVENT}`,
]

type Pulse = { path: string; ok: boolean; ms: number }

function Health() {
  const [pulses, setPulses] = useState<Pulse[]>([])
  const sweep = async () => {
    setPulses([])
    for (const path of endpoints) {
      const { status, exchange } = await ask('health_sweep', 'GET', path)
      const pulse = { path, ok: status !== null && status < 300, ms: exchange.ms }
      setPulses(before => [...before, pulse])
    }
  }
  const total = Math.round(pulses.reduce((sum, pulse) => sum + pulse.ms, 0))
  return (
    <section class="card stack" aria-labelledby="health-title">
      <div class="row apart">
        <h2 id="health-title">{t('health')}</h2>
        <Doing run={sweep}>{t('health_run')}</Doing>
      </div>
      <p class="soft small" role="status">
        {pulses.length < endpoints.length
          ? t('health_none')
          : t('health_total', {
              ok: pulses.filter(pulse => pulse.ok).length,
              all: endpoints.length,
              ms: total,
            })}
      </p>
      <ul class="plain pulses">
        {pulses.map(({ path, ok, ms }) => (
          <li key={path}>
            <span class="state">
              <Sign tone={ok ? 'good' : 'bad'} /> {ok ? t('answered') : t('failed')}
            </span>
            <span class="mono small path">{path}</span>
            <span class="numeric small">{t('ms', { ms })}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Controls() {
  return (
    <section class="card stack" aria-labelledby="controls-title">
      <h2 id="controls-title">{t('controls')}</h2>
      <p class="soft small">
        {t('controls_hint')} <a href="/docs/">{t('docs')}</a>
      </p>
      <table class="log controls">
        <thead>
          <tr>
            <th scope="col">{t('control')}</th>
            <th scope="col">{t('control_type')}</th>
            <th scope="col">{t('control_in')}</th>
            <th scope="col">{t('control_meaning')}</th>
          </tr>
        </thead>
        <tbody>
          {controls.value.map(field => (
            <tr key={field.name}>
              <th scope="row" class="mono">
                {field.name}
              </th>
              <td class="small soft">{field.type}</td>
              <td class="answer-cell">
                <Sign tone={field.inToken ? 'good' : 'plain'} />
                <span>{field.inToken ? t('yes') : t('no')}</span>
              </td>
              <td>{field.meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
