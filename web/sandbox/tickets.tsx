// Tickets: minted, verified, redeemed, asked about and revoked by the server.
import { useState } from 'preact/hooks'
import type { Generated } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { ask, TICKET_EVENT } from './ask.ts'
import { Latest } from './exchange-view.tsx'
import { change, type Hand, session } from './session.ts'
import { t } from './texts.ts'
import { Choice, Doing } from './ui.tsx'

const SECONDS_PER_HOUR = 3600
export const hoursFromNow = (hours: string) =>
  Math.floor(Date.now() / 1000) + Number(hours) * SECONDS_PER_HOUR

export const tiers: [string, string][] = [
  ['standard', 'standard'],
  ['vip', 'vip'],
  ['staff', 'staff'],
]
export const validities = (): [string, string][] => [
  ['1', t('hours_1')],
  ['12', t('hours_12')],
  ['24', t('hours_24')],
]

export function Tickets() {
  return (
    <div class="columns">
      <Mint />
      <InHand />
    </div>
  )
}

function Mint() {
  const [wanted, setWanted] = useState({
    tier: 'standard',
    maxUses: '1',
    entryPoint: 'main-gate',
    hours: '24',
    qrMode: 'link',
    holder: 'Test Person',
    seat: 'A 1',
    transferable: false,
  })
  const set = (part: Partial<typeof wanted>) => setWanted({ ...wanted, ...part })
  const mint = async () => {
    const { status, body } = await ask<Generated>('generate_ticket', 'POST', '/v1/tickets/generate', {
      event: TICKET_EVENT,
      tier: wanted.tier,
      maxUses: Number(wanted.maxUses),
      ...(wanted.entryPoint ? { entryPoint: wanted.entryPoint } : {}),
      exp: hoursFromNow(wanted.hours),
      qrMode: wanted.qrMode,
      transferable: wanted.transferable,
      ...(wanted.holder ? { holder: wanted.holder } : {}),
      ...(wanted.seat ? { seat: wanted.seat } : {}),
    })
    if (status !== 201) return
    const gate = wanted.entryPoint || 'main-gate'
    change({ ticket: { token: body.token, ticketId: body.ticketId, gate } })
  }
  return (
    <section class="card stack" aria-labelledby="mint-title">
      <h2 id="mint-title">{t('mint')}</h2>
      <div class="pairs-grid">
        <Choice
          name="tier"
          label={t('tier')}
          value={wanted.tier}
          options={tiers}
          onChange={tier => set({ tier })}
        />
        <Field name="max_uses" label={t('max_uses')} hint={t('max_uses_hint')}>
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
          name="entry_point"
          label={t('entry_point')}
          value={wanted.entryPoint}
          options={[
            ['main-gate', 'main-gate'],
            ['vip-north', 'vip-north'],
            ['', t('any_gate')],
          ]}
          onChange={entryPoint => set({ entryPoint })}
        />
        <Choice
          name="hours"
          label={t('hours')}
          value={wanted.hours}
          options={validities()}
          onChange={hours => set({ hours })}
        />
        <Field name="holder" label={t('holder')} hint={t('holder_hint')}>
          {control => (
            <input
              {...control}
              value={wanted.holder}
              onInput={event => set({ holder: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field name="seat" label={t('seat')}>
          {control => (
            <input
              {...control}
              value={wanted.seat}
              onInput={event => set({ seat: event.currentTarget.value })}
            />
          )}
        </Field>
        <Choice
          name="qr_mode"
          label={t('qr_mode')}
          value={wanted.qrMode}
          options={[
            ['link', t('qr_link')],
            ['edge', t('qr_edge')],
          ]}
          onChange={qrMode => set({ qrMode })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={wanted.transferable}
            onChange={event => set({ transferable: event.currentTarget.checked })}
          />
          {t('transferable')}
        </label>
      </div>
      <div>
        <Doing quiet={false} run={mint}>
          {t('mint_do')}
        </Doing>
      </div>
      <Latest of={['server:generate_ticket']} />
    </section>
  )
}

function InHand() {
  const hand = session.value.ticket
  const set = (part: Partial<Hand>) => change({ ticket: { ...session.value.ticket, ...part } })
  const place = hand.gate ? { entryPoint: hand.gate } : {}
  const presented = { token: hand.token, event: TICKET_EVENT, ...place }
  const query = hand.gate ? `?entryPoint=${encodeURIComponent(hand.gate)}` : ''
  const idPath = `/v1/tickets/${encodeURIComponent(hand.ticketId)}/status${query}`
  return (
    <section class="card stack" aria-labelledby="hand-title">
      <h2 id="hand-title">{t('hand')}</h2>
      <p class="soft small">{t('hand_hint')}</p>
      <Field name="token" label={t('token')}>
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
      <div class="pairs-grid">
        <Field name="ticket_id" label={t('ticket_id')}>
          {control => (
            <input
              {...control}
              class="mono"
              spellcheck={false}
              value={hand.ticketId}
              onInput={event => set({ ticketId: event.currentTarget.value.trim() })}
            />
          )}
        </Field>
        <Choice
          name="hand_gate"
          label={t('at_gate')}
          value={hand.gate}
          options={[
            ['main-gate', 'main-gate'],
            ['vip-north', 'vip-north'],
            ['no-such-gate', t('unknown_gate')],
            ['', t('no_gate')],
          ]}
          onChange={gate => set({ gate })}
        />
      </div>
      <div class="row">
        <Doing
          disabled={!hand.token}
          run={() => ask('verify_ticket', 'POST', '/v1/tickets/verify', presented)}
        >
          {t('verify')}
        </Doing>
        <Doing
          disabled={!hand.token}
          run={() => ask('redeem_ticket', 'POST', '/v1/tickets/redeem', presented)}
        >
          {t('redeem')}
        </Doing>
        <Doing disabled={!hand.ticketId} run={() => ask('ticket_status', 'GET', idPath)}>
          {t('status')}
        </Doing>
        <Doing
          disabled={!hand.ticketId}
          run={() => ask('revoke_by_program', 'POST', '/v1/tickets/revoke', { ticketId: hand.ticketId })}
        >
          {t('revoke')}
        </Doing>
      </div>
      <Latest
        of={[
          'server:verify_ticket',
          'server:redeem_ticket',
          'server:ticket_status',
          'server:revoke_by_program',
        ]}
      />
    </section>
  )
}
