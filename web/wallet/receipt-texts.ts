// What the check of a receipt says.
import { translator } from '../lib/i18n/translate.ts'

export const { t: r } = translator({
  title: 'Your receipt',
  what: 'Every ticket stands in a public log that nobody can change unseen, not even the organiser. This phone checks that yours does.',
  checking: 'Checking…',
  holds: 'This ticket stands in the public log of the event as entry {number} of {size}.',
  entered: 'Entered {at}.',
  by_itself: 'Checked on this phone, with the key that it saw first.',
  fails: 'This receipt does not hold',
  fails_hint: 'Ask the organiser about it, and keep the ticket. The reason: {why}.',
  other_ticket: 'it is about another ticket',
  first_needs: 'The first check needs a connection. Please try again later.',
  no_checker: 'The checker could not be loaded. Please try again with a connection.',
  changed: 'The log has another key now than when this phone first saw it',
  changed_hint:
    'That happens when the organiser restored an old backup, and it must be announced. Ask before you trust the new key.',
  trust: 'Trust the new key',
  again: 'Check again',
  download: 'Download receipt',
  download_failed: 'That needs a connection. Please try again.',
})
