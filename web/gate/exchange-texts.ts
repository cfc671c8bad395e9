// What gates say when they tell each other who entered.
import { translator } from '../lib/i18n/translate.ts'

export const { t, plural } = translator({
  title: 'Gate to gate',
  close: 'Close',
  how: 'Entries are signed by this scanner and checked by the other. Do it both ways.',
  show: 'Show as codes',
  show_hint: 'Hold the other scanner’s camera to this screen until it has all of them.',
  read_hint: 'To read the other’s codes, close this and hold its screen before the camera.',
  code_of: 'Code {number} of {of}',
  nothing: 'Nobody has entered here yet.',
  file: 'As a file',
  file_save: 'Save a file',
  file_open: 'Open a file',
  file_done: '{count} new entry taken in|{count} new entries taken in',
  taken_in: '{done} of {of} codes from {from}',
  not_trusted: 'Not taken in: not signed by a scanner of this event.',
  not_here: 'This scanner cannot sign lists. Pair it again.',
  last: 'Last taken in: {entries} new entries from {from}, {done} of {of} codes.',
  link: 'Live link on the same network',
  link_hint:
    'Two scanners on one Wi-Fi tell each other of every entry as it is made, without a server. Each reads one code of the other.',
  link_start: 'Start a link',
  link_making: 'Making the code…',
  link_offer: '1 · Let the other scanner read this. Then read the answer that it shows.',
  link_answer: '2 · Let the first scanner read this answer.',
  link_open: 'Linked: {sent} entries told, {got} taken in',
  link_lost: 'The link broke. Start it again.',
  link_end: 'End the link',
})
