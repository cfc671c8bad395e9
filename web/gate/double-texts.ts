// What a gate says about a ticket that entered twice.
import { translator } from '../lib/i18n/translate.ts'

export const { t } = translator({
  double_title: 'One ticket, two entries',
  fraud_title: 'Copied ticket: two places at once',
  came_first: '1st',
  came_second: '2nd',
  counted_first: 'counts as 1st',
  counted_second: 'counts as 2nd',
  apart: '{time} apart',
  this_device: 'this scanner',
  uncertain: 'The clocks of the two gates overlap: which came first is not certain.',
  fraud_hint: 'Nobody walks that fast: there are two copies of this ticket.',
  what_now: 'Both are inside. Tell the organiser; the desk has it, too.',
  seen: 'Seen',
  more_notices: '{count} more',
})
