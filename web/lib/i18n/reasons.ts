// The closed list of refusals in words for the big sign; the same as in the core, which a test holds it to.

export const reasonTitles: Record<string, string> = {
  already_used: 'Already used',
  uses_exhausted: 'No entries left',
  invalid: 'Not a valid ticket',
  wrong_event: 'Other event',
  unknown: 'Not on the books',
  revoked: 'Cancelled',
  transferred: 'Transferred',
  unpaid: 'Not paid',
  entry_point_denied: 'Other gate',
  gate_closed: 'Gate closed',
  epoch_stale: 'Old code',
  epoch_replayed: 'Code used',
  clock_wrong: 'Wrong clock',
  device_clock: 'Wrong clock here',
  proof_invalid: 'Not the holder',
  held: 'At another gate',
  offline_refused: 'No connection',
  sync_needed: 'Sync first',
  given_up: 'Given up',
  inside: 'Already inside',
  too_soon: 'Too soon',
  once_per_day: 'Used today',
  once_per_gate: 'Used here today',
  pass_over: 'Pass is over',
  not_inside: 'Not inside',
  not_yet_valid: 'Too early',
  expired: 'Expired',
}

/** A reason that this build does not know is still shown, as the server wrote it. */
export const reasonTitle = (reason: string | null): string =>
  reasonTitles[reason ?? ''] ?? (reason ?? 'Refused').replaceAll('_', ' ')
