// What is said when a gate asks a ticket for proof.
import { translator } from '../lib/i18n/translate.ts'

export const { t: p } = translator({
  title: 'A gate asks for proof',
  hint: 'Hold this phone before the picture on the scanner.',
  camera: 'Camera',
  starting: 'Starting the camera…',
  denied: 'The camera is not allowed. Type what the scanner shows instead.',
  none: 'The camera does not start. Type what the scanner shows instead.',
  type: 'No camera? Type it',
  gate: 'Gate number',
  gate_wrong: 'Please write the number of the gate, as the scanner shows it.',
  digits: 'The 16 signs below the picture',
  digits_wrong: 'These are not 16 signs from 0 to 9 and a to f. Please look again.',
  answer: 'Answer',
  other: 'This is not a gate’s question. Hold the phone before the scanner’s screen.',
  once: 'That question was answered already. Let the gate ask again.',
  show: 'Now hold this before the scanner.',
  qr: 'QR code with the answer to gate {gate}',
  left: '{seconds} s left',
  over_title: 'Time is over',
  over: 'Nobody can use this answer any more. Let the gate ask again, if it must.',
  again: 'Read the new question',
  close: 'Close',
  elsewhere: 'The key of this ticket is not on this phone, so it cannot answer.',
})
