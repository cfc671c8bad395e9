// What the screens before the first scan say.
import { translator } from '../lib/i18n/translate.ts'

export const { t, plural } = translator({
  pair_title: 'Pair this device',
  pair_how:
    'Scan the QR code that the desk shows under Devices with this device’s camera app, or type the code below it.',
  pair_code: 'Pairing code',
  pair_hint: '16 letters and digits',
  pair_go: 'Pair and start',
  pairing: 'Pairing…',
  pair_invalid:
    'This code does not work. It is used once and for a few minutes only: ask the desk for a new one.',
  pair_short: 'The code has 16 letters and digits.',
  pair_again_title: 'Pair this device anew?',
  pair_again: 'It is already paired with {event}. What it did not tell the server yet would be lost.',
  pair_again_yes: 'Pair anew',
  pair_again_no: 'Keep it as it is',
  pair_rate: 'Too many tries. Wait a moment.',
  removed_title: 'This device was removed',
  removed: 'The desk took its access away. It can check nothing any more.',
  removed_unsent:
    '{count} entry was never told to the server, and will not be. Save the journal to a file and hand it to the organiser.|{count} entries were never told to the server, and will not be. Save the journal to a file and hand it to the organiser.',
  save_journal: 'Save the journal to a file',
  pair_new_delete: 'Delete everything and pair again',
  pair_new: 'Pair again',
  choose_gate: 'Which gate is this?',
  choose_gate_hint: 'You can change it later in the menu.',
  no_gates: 'This event has no gates yet. Add one at the desk.',
  no_answer: 'The server does not answer. Check the network of this device.',
  gate_closed: 'closed',
  try_again: 'Try again',
})
