// Why a wallet does not take an issuer's key.
import { translator } from '../i18n/translate.ts'

export const { t: k } = translator({
  none: 'The organiser sells no such ticket right now.',
  other_number: 'The organiser’s key is not the one that it says it is. Nothing was bought.',
  not_in_record:
    'The organiser’s key does not stand in the public record of this event. A key that only you were shown could give you away, so it is not used.',
  other_key:
    'The public record of this event holds another key than the one you were shown. It could give you away, so it is not used.',
  other_terms:
    'The public record says something else of this ticket than the organiser does. Nothing was bought.',
  log_changed:
    'The public record of this event is signed with another key than at your first visit. Ask the organiser why, before you buy.',
})
