// The edge: tickets that a gate judges alone, at the server's pretended gate and at two real ones in this browser.
import { useEffect, useState } from 'preact/hooks'
import type { Generated, SpentExport } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { ask, EDGE_EVENT } from './ask.ts'
import { Latest } from './exchange-view.tsx'
import { consumeAt, enrol, exportFrom, GATES, learnAt, memoryOf, verifyAt } from './gates.ts'
import { change, type GateMemory, type Hand, session } from './session.ts'
import { plural, t } from './texts.ts'
import { hoursFromNow, tiers, validities } from './tickets.tsx'
import { Choice, Doing, Sign } from './ui.tsx'

const letter = (gate: string) => gate.slice(-1).toUpperCase()
const otherOf = (gate: string) => GATES.find(name => name !== gate) ?? gate

export function Edge() {
  return (
    <div class="columns">
      <div class="stack">
        <Issue />
        <AtServer />
        <SpentLists />
      </div>
      <InBrowser />
    </div>
  )
}

function Issue() {
  const [wanted, setWanted] = useState({ tier: 'standard', maxUses: '1', gates: 'both', hours: '12' })
  const set = (part: Partial<typeof wanted>) => setWanted({ ...wanted, ...part })
  const issue = async () => {
    const { status, body } = await ask<Generated>('edge_issue', 'POST', '/v1/tickets/edge/issue', {
      event: EDGE_EVENT,
      tier: wanted.tier,
      maxUses: Number(wanted.maxUses),
      entryPoints: wanted.gates === 'both' ? GATES : [wanted.gates],
      exp: hoursFromNow(wanted.hours),
    })
    if (status === 201)
      change({ edge: { ...session.value.edge, token: body.token, ticketId: body.ticketId } })
  }
  return (
    <section class="card stack" aria-labelledby="edge-issue-title">
      <h2 id="edge-issue-title">{t('edge_issue')}</h2>
      <p class="soft small">{t('edge_issue_hint')}</p>
      <div class="pairs-grid">
        <Choice
          name="edge_tier"
          label={t('tier')}
          value={wanted.tier}
          options={tiers}
          onChange={tier => set({ tier })}
        />
        <Field name="edge_uses" label={t('max_uses')}>
          {control => (
            <input
              {...control}
              type="number"
              min="0"
              max="255"
              value={wanted.maxUses}
              onInput={event => set({ maxUses: event.currentTarget.value })}
            />
          )}
        </Field>
        <Choice
          name="edge_gates"
          label={t('entry_point')}
          value={wanted.gates}
          options={[['both', GATES.join(', ')], ...GATES.map((gate): [string, string] => [gate, gate])]}
          onChange={gates => set({ gates })}
        />
        <Choice
          name="edge_hours"
          label={t('hours')}
          value={wanted.hours}
          options={validities()}
          onChange={hours => set({ hours })}
        />
      </div>
      <div>
        <Doing quiet={false} run={issue}>
          {t('edge_issue_do')}
        </Doing>
      </div>
      <Latest of={['server:edge_issue']} />
    </section>
  )
}

function AtServer() {
  const hand = session.value.edge
  const set = (part: Partial<Hand>) => change({ edge: { ...session.value.edge, ...part } })
  const presented = { token: hand.token, event: EDGE_EVENT, gate: hand.gate }
  return (
    <section class="card stack" aria-labelledby="edge-server-title">
      <h2 id="edge-server-title">{t('edge_server')}</h2>
      <p class="soft small">{t('edge_server_hint')}</p>
      <Field name="edge_token" label={t('token')}>
        {control => (
          <textarea
            {...control}
            class="mono"
            rows={3}
            spellcheck={false}
            value={hand.token}
            onInput={event => set({ token: event.currentTarget.value.trim() })}
          />
        )}
      </Field>
      <Choice
        name="edge_gate"
        label={t('at_gate')}
        value={hand.gate}
        options={[
          ...GATES.map((gate): [string, string] => [gate, gate]),
          ['no-such-gate', t('unknown_gate')],
        ]}
        onChange={gate => set({ gate })}
      />
      <div class="row">
        <Doing
          disabled={!hand.token}
          run={() => ask('edge_verify', 'POST', '/v1/tickets/edge/verify', presented)}
        >
          {t('verify')}
        </Doing>
        <Doing
          disabled={!hand.token}
          run={() => ask('edge_consume', 'POST', '/v1/tickets/edge/consume', presented)}
        >
          {t('consume')}
        </Doing>
      </div>
      <Latest of={['server:edge_verify', 'server:edge_consume']} />
    </section>
  )
}

function useNetwork(): boolean {
  const [on, setOn] = useState(navigator.onLine)
  useEffect(() => {
    const look = () => setOn(navigator.onLine)
    addEventListener('online', look)
    addEventListener('offline', look)
    return () => {
      removeEventListener('online', look)
      removeEventListener('offline', look)
    }
  }, [])
  return on
}

function InBrowser() {
  const online = useNetwork()
  const { gates } = session.value
  const enrolBoth = async () => {
    for (const gate of GATES) await enrol(gate)
  }
  return (
    <section class="card stack" aria-labelledby="edge-gates-title">
      <h2 id="edge-gates-title">{t('edge_gates')}</h2>
      <p class="soft small">{t('edge_gates_hint')}</p>
      <p class="network" role="status">
        <Sign tone={online ? 'good' : 'bad'} />
        <span>{online ? t('network_on') : t('network_off')}</span>
      </p>
      <div>
        <Doing quiet={gates.length > 0} run={enrolBoth}>
          {gates.length > 0 ? t('enrol_again') : t('enrol')}
        </Doing>
      </div>
      {gates.map(gate => (
        <BrowserGate key={gate.name} gate={gate} />
      ))}
      <Latest
        of={[
          'server:edge_enrol',
          'server:spent_sync',
          ...['verify', 'consume', 'export', 'learn'].map(name => `browser:${name}`),
        ]}
      />
    </section>
  )
}

function BrowserGate({ gate }: { gate: GateMemory }) {
  const { token } = session.value.edge
  const other = otherOf(gate.name)
  const entries = gate.steps.filter(step => step.do === 'consume').length
  const tellOther = async () => {
    const { body } = await exportFrom(gate.name)
    await learnAt(other, body.signed, body.vkey)
  }
  const sync = async () => {
    const { body } = await exportFrom(gate.name)
    await ask('spent_sync', 'POST', '/v1/tickets/edge/spent/sync', { event: EDGE_EVENT, signed: body.signed })
  }
  return (
    <div class="gate stack" data-gate={gate.name}>
      <div class="row apart">
        <h3>{t('gate_name', { name: letter(gate.name) })}</h3>
        <span class="small soft numeric">
          {t('gate_device', { device: gate.setup.device })} · {plural('gate_spent', entries)}
        </span>
      </div>
      <div class="row">
        <Doing disabled={!token} run={() => verifyAt(gate.name, token)}>
          {t('verify')}
        </Doing>
        <Doing disabled={!token} run={() => consumeAt(gate.name, token)}>
          {t('consume')}
        </Doing>
        <Doing run={() => exportFrom(gate.name)}>{t('list_export')}</Doing>
        <Doing disabled={!memoryOf(other)} run={tellOther}>
          {t('tell', { name: letter(other) })}
        </Doing>
        <Doing run={sync}>{t('sync')}</Doing>
      </div>
    </div>
  )
}

function SpentLists() {
  const { gates } = session.value
  const exported = () =>
    ask<SpentExport>('spent_export', 'GET', `/v1/tickets/edge/spent/export?event=${EDGE_EVENT}`)
  const learn = async () => {
    const { status, body } = await exported()
    if (status !== 200) return
    for (const gate of gates) await learnAt(gate.name, body.signed, body.vkey)
  }
  return (
    <section class="card stack" aria-labelledby="spent-title">
      <h2 id="spent-title">{t('spent')}</h2>
      <p class="soft small">{t('spent_hint')}</p>
      <div class="row">
        <Doing run={exported}>{t('spent_export')}</Doing>
        <Doing disabled={gates.length === 0} run={learn}>
          {t('spent_learn')}
        </Doing>
        <Doing run={() => ask('edge_conflicts', 'GET', `/v1/tickets/edge/conflicts?event=${EDGE_EVENT}`)}>
          {t('conflicts')}
        </Doing>
      </div>
      <Latest of={['server:spent_export', 'server:edge_conflicts']} />
    </section>
  )
}
