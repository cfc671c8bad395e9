// One presentation of a code, and how far this device has come with it.
import type { Verdict, VerdictTicket } from '../lib/api/types.ts'
import type { WaitingScan } from '../lib/db/gate-db.ts'

/** What the device says by itself. */
export type Judgement = {
  reason: string | null
  message: string
  ticket: VerdictTicket | null
  maxUses: number | null
  digest: string | null
  /** The first entry on this device itself, if it was here. */
  first: { at: string; gate: number } | null
}

export type ScanState =
  /** Asked; the answer may come within the time of a blink. */
  | { kind: 'asking' }
  /** Only the server can tell, and it does not answer; it is being tried again. */
  | { kind: 'server_only'; tries: number }
  /** The device itself refuses; the server is told, and may still correct it. */
  | { kind: 'judged'; local: Judgement }
  /** Refused here and told to nobody: this cannot be a code. */
  | { kind: 'not_a_code' }
  | { kind: 'answered'; verdict: Verdict }
  /** Nobody answered in time: the device has decided, and its word is in its journal. */
  | {
      kind: 'decided'
      verdict: 'admit' | 'refuse'
      use: number | null
      usesRemaining: number | null
      local: Judgement
      name: string | null
    }
  /** The device would admit, but cannot keep that it did: then nobody is let in. */
  | { kind: 'cannot_keep' }
  /** Somebody leaves and the server does not say anything: nobody is kept in for that. `why`: it was not
      reached, it did not answer in time and may have recorded it, or its own words. */
  | { kind: 'let_out'; why: 'offline' | 'late' | { said: string } }
  /** An entry of this device was taken back, told to the server or not yet. */
  | { kind: 'taken_back' }
  /** The server does not take this request at all. */
  | { kind: 'failed'; message: string }

export type Scan = WaitingScan & { state: ScanState; resumed: boolean }
