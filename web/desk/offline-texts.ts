// What the desk says about gates without the network.
import { translator } from '../lib/i18n/translate.ts'

export const { t, plural } = translator({
  // policy of a ticket type
  policy: 'When a gate has no network',
  any: 'Admit and reconcile',
  any_hint:
    'The gate admits by what it knows. A copy can enter at two gates; each such double entry is told to both gates and to you.',
  lease: 'One scanner holds the lease',
  lease_hint:
    'Only one scanner may admit these tickets alone; the others ask for it. Never twice, even with the network cut.',
  refuse: 'Only with a connection',
  refuse_hint: 'A gate without the network does not admit these tickets. Never twice.',
  never_twice: 'Never twice',
  any_short: 'offline: admit and reconcile',
  lease_short: 'offline: one scanner holds the lease',
  refuse_short: 'only with a connection',
  lease_device: 'The scanner',
  lease_none: 'None yet: then only with a connection',
  lease_wanted: 'Asked of the scanner that has it now; it moves when that one is back online.',
  // risk
  risk: 'Risk',
  copied: 'Tickets that somebody copied',
  share: 'Time without network, per gate',
  share_value: '{percent} %',
  expected: 'Expected double entries',
  expected_of: 'with {gates} gates',
  expected_one_gate: 'One gate remembers everything it let in: no double entries.',
  expected_none: 'None: this choice keeps the promise “never twice”.',
  // event
  hours: 'Hours without the server',
  hours_hint: 'After so long a scanner admits nobody until it has heard from the server again. From 1 to 72.',
  bad_hours: 'Please write a whole number from 1 to 72.',
  // gate
  place: 'Place',
  place_hint: 'As on a map, such as 52.5390, 13.4130. Two entries too far apart to walk are marked as fraud.',
  bad_place: 'Please write latitude and longitude with a comma between, or leave it empty.',
  place_here: 'Where I am now',
  // devices
  never_synced: 'never synced',
  synced_ago: 'synced {ago} ago',
  pending: '{count} entry waits|{count} entries wait',
  battery: 'battery {percent} %',
  storage_safe: 'storage safe',
  storage_unsafe: 'browser may clear it',
  unconfirmed: '{count} entry unconfirmed|{count} entries unconfirmed',
  stale: 'not heard of for {ago}',
  // double entries
  tab: 'Double entries',
  title: 'Double entries',
  intro:
    'Tickets that entered more often than they may, at gates that could not ask each other. The earliest entry counts; nothing is discarded.',
  none: 'None so far',
  none_hint: 'Whenever one ticket enters at two gates, it stands here and on both scanners.',
  figure: '{count} double entry|{count} double entries',
  fraud: 'Two places at once',
  fraud_why: 'Nobody gets from one to the other that fast: there are two copies of this ticket.',
  fraud_distance: '{metres} m in {time}',
  uncertain: 'Order uncertain',
  uncertain_why: 'The clocks of the two scanners overlap. The winner is picked by a fixed rule.',
  apart: '{time} apart',
  counts: 'counts',
  extra: 'too many',
  use: 'entry {use}',
  stage_done: 'let in',
  stage_claimed: 'admitted by the server, not confirmed by the gate',
  stage_void: 'taken back',
  ticket: 'The ticket',
  timeline: 'Entries of {ticket} in order of time',
})
