// What the sync and diagnostics screen says: plain words, for a steward in the dark.
import { translator } from '../lib/i18n/translate.ts'

export const { t, plural } = translator({
  title: 'Sync and diagnostics',
  close: 'Close',
  // the verdict on top
  fine: 'All is well',
  fine_hint: 'If the network goes now, this scanner carries on for {limit}.',
  offline_fine: 'Offline, and carrying on',
  offline_fine_hint: 'Good for {left} more without the server. Entries are kept here and told later.',
  trouble: 'Needs your attention',
  // sync
  sync: 'Sync',
  waiting: '{count} entry waits to be told to the server|{count} entries wait to be told to the server',
  nothing_waits: 'Everything is told to the server',
  last_contact: 'Last contact',
  never: 'never',
  ago: '{time} ago',
  known: 'Entries known from other gates',
  sync_now: 'Sync now',
  syncing: 'Syncing…',
  syncing_left: '{sent} sent, {left} left',
  save_journal: 'Save the journal to a file',
  doubles: 'Tickets that entered twice',
  doubles_none: 'None that this scanner has heard of.',
  // storage
  storage: 'Storage',
  used: 'Used',
  used_of: '{used} of {quota}',
  unknown: 'not told by the browser',
  kept: 'Safe from clearing',
  kept_yes: 'yes',
  kept_no: 'no',
  kept_how:
    'The browser may clear the records when space runs out. Install this page: in the browser’s menu choose “Install app” or “Add to home screen”, open it from there, and press the button below.',
  ask_again: 'Ask the browser again',
  disk: 'Takes records',
  disk_no: 'no: full or blocked. Make room on this device, then sync.',
  unreadable: '{count} record cannot be read|{count} records cannot be read',
  unreadable_hint: 'Something changed them. The server sees the gap; tell the organiser.',
  shell: 'Opens without a network',
  shell_no: 'not yet: leave this page open for a minute with a network',
  rules: 'Rules on this scanner',
  rules_no: 'did not load: reload the page with a network',
  yes: 'yes',
  // clock
  clock: 'Clock',
  offset: 'This device’s clock',
  offset_right: 'right, to the second',
  offset_slow: '{time} behind the server',
  offset_fast: '{time} ahead of the server',
  sure: 'Server time is known',
  sure_within: 'to within {time}',
  sure_not: 'not since the restart: at the next contact',
  turned_back:
    'The clock was turned back by {time}. Set it by the network: Settings, Date and time, Automatic.',
  // device
  device: 'Device',
  battery: 'Battery',
  number: 'Number at the desk',
  version: 'Version',
  // download
  download: 'Download for the event',
  download_hint:
    'Keeps the state of every ticket on this scanner, sealed. Names, where the event shows them, open only with their own ticket.',
  download_now: 'Download now',
  download_go_on: 'Go on',
  download_again: 'Download again',
  downloading: 'Downloading…',
  download_at: '{got} of {total} tickets, made {at}',
  download_cut: 'Cut off. It goes on where it stopped.',
  // exchange
  exchange: 'Gate to gate, without a server',
  exchange_hint: 'Tell another scanner who entered here, so that it refuses the same tickets.',
  exchange_open: 'Exchange with another scanner',
})
