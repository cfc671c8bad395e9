// The shapes of the API's bodies: the generated schema, with the closed word lists that OpenAPI has as plain strings.
import type { components } from './schema.ts'

type Schemas = components['schemas']

/** In answers the server writes every field, null where there is nothing; the schema calls those fields optional. */
type Filled<T> = T extends readonly (infer Item)[]
  ? Filled<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Filled<T[Key]> }
    : T

type Narrow<T, Words> = Omit<T, keyof Words> & Words

type Answer<Name extends keyof Schemas, Words = unknown> = Narrow<Filled<Schemas[Name]>, Words>

export type PhoneRule = 'hidden' | 'optional' | 'required'
export type TokenFormat = 'a1' | 'a1-hmac' | 'jwt-eddsa' | 'jwt-hs256'
type TicketStatus = 'issued' | 'used' | 'revoked' | 'transferred'
type Role = 'admin' | 'organiser' | 'viewer'
export type RevokeReason = Schemas['RevokeReason']

// public
export type Question = Answer<'Question', { kind: 'text' | 'choice' }>
/** An older server sells nothing without a name. */
export type PublicTicketType = Answer<'PublicType', { sale?: Sale | null }>
export type PublicEvent = Answer<
  'PublicEvent',
  { questions: Question[]; phone: PhoneRule; ticket_types: PublicTicketType[] }
>
export type RegistrationInput = Schemas['RegistrationInput']
export type MerkleValidation = Answer<'MerkleValidation'>
export type Rotation = Answer<'TicketRotation', { kind: 'device' | 'shared'; head: string | null }>
export type BindInput = Schemas['BindInput']
/** The secret is only in the answer to a claim. */
export type BoundTicket = { rotation: Rotation; secret?: string | null }
type Transferable = 'no' | 'free' | 'approval'
type TransferState = 'offered' | 'asked' | 'done' | 'ended'
type TransferWords = {
  transferable: Transferable
  to: 'give' | 'move' | null
  state: TransferState | null
}
export type OfferInput = Schemas['OfferInput']
export type OfferMade = Answer<'OfferMade'>
export type OfferShown = Answer<
  'OfferShown',
  { to: 'give' | 'move'; state: Exclude<TransferState, 'ended'>; phone: PhoneRule }
>
export type AcceptInput = Schemas['AcceptInput']
export type Taken = { state: 'done' | 'asked'; access: string | null }
type TicketWords = {
  status: TicketStatus
  /** Copies from before tickets could be handed on say nothing of it. */
  transfer?: Answer<'TicketTransfer', TransferWords>
  /** A ticket that was issued before there were audit logs stands in none. */
  merkle_validation?: MerkleValidation | null
  /** None when the code never changes. */
  rotation?: Rotation | null
}
export type Ticket = Answer<'Ticket', TicketWords>
export type Registered = Answer<'Registered', { ticket: Ticket; merkle_validation?: MerkleValidation | null }>

// tickets without a name
export type Provider = 'TEST' | 'STRIPE' | 'VOUCHER'
export type Sale = Answer<'PublicSale', { payments: Provider[] }>
export type DeskSale = Answer<'SaleTerms'>
export type IssuerKey = Answer<'IssuerKey'>
type PaidHow = { payment_provider: 'TEST' | 'STRIPE' }
export type CheckoutInput = Narrow<Schemas['CheckoutInput'], PaidHow>
export type Checkout = Answer<'CheckoutAnswer', PaidHow>
export type Receipt = Answer<'ReceiptAnswer', { status: 'verified' | 'pending' | 'expired' | 'refund_due' }>
/** A server that does not count admissions by day leaves them out. */
export type SoldDay = Answer<'SoldDay', { admitted?: number }>
export type SoldType = Answer<'SoldType', { days: SoldDay[] }>
export type Sales = Answer<'Sales', { types: SoldType[] }>
export type VoucherBatch = Answer<'VoucherBatch'>
export type VoucherInput = Schemas['VoucherInput']
export type NewVouchers = Answer<'NewVouchers'>

// desk
export type Session = Answer<'Who', { role: Role }>
export type Gate = Answer<'Gate'>
export type GateInput = Schemas['GateInput']
export type CodeChange = 'none' | 'device' | 'shared'
export type TicketKind = 'single-use' | 'entries' | 'day' | 'monthly'
export type PassRules = Answer<
  'PassRules',
  { lasts: 'day' | 'month' | null; per_day: 'any' | 'once' | 'once_each_gate' }
>
type TypeWords = {
  rotation: CodeChange
  interval_s: number | null
  offline: OfflinePolicy
  kind: TicketKind
  pass: PassRules
  transferable: Transferable
  /** How it is sold without a name; an older server knows nothing of it. */
  sale?: DeskSale | null
}
export type TicketType = Answer<'TicketType', TypeWords>
export type TicketTypeInput = Schemas['TicketTypeInput'] & { sale?: DeskSale | null }
type EventWords = {
  questions: Question[]
  phone: PhoneRule
  registration: 'open' | 'closed'
  token_format: TokenFormat
}
export type DeskEvent = Answer<'Event', EventWords & { ticket_types: TicketType[] }> & {
  offline_hours?: number
}
/** A whole event; a change may hold only a part of it. */
export type EventInput = Pick<
  DeskEvent,
  | keyof EventWords
  | 'slug'
  | 'name'
  | 'venue'
  | 'description'
  | 'time_zone'
  | 'doors_at'
  | 'starts_at'
  | 'ends_at'
  | 'show_name_at_gate'
  | 'offline_hours'
>
export type DeskTicket = Answer<'DeskTicket', { status: TicketStatus }>
export type Scan = Answer<
  'Scan',
  {
    verdict: 'admit' | 'refuse' | 'undo' | 'exit'
    /** Of a ticket without a name there is no page. */
    anonymous?: boolean
  }
>
export type DeskTicketDetail = DeskTicket & {
  answers: Record<string, string>
  scans: Scan[]
  access_url: string
  rotation: string
}
export type AskedTransfer = Answer<'AskedTransfer', { ticket: DeskTicket }>
export type Reissued = DeskTicket & { access_url: string }
export type TicketPage = Answer<'Tickets', { tickets: DeskTicket[] }>
export type IssueInput = Schemas['TicketInput']
export type Pairing = Answer<'Pairing'>
export type PairingInput = Schemas['PairingInput']
export type Device = Answer<'Device'>
export type Stats = Answer<'Stats'>
export type LiveMessage = { stats: Stats; scans: Scan[] }

// gates without the network
export type OfflinePolicy = 'any' | 'lease' | 'refuse'
/** Where somebody came in with the ticket; of two, `first` is the earliest for certain, the one that counts. */
export type EntrySide = Answer<'Side'>
type DoubleWords = { mine: 'first' | 'second' | 'both' | null }
/** A ticket that entered more often than it may. */
export type DoubleEntry = Answer<'OfflineConflict', DoubleWords>
/** The same for the desk: with every entry of the ticket, in the order of certainty. */
export type DoubleEntryCase = Answer<'ForensicConflict', DoubleWords & { entries: Answer<'ForensicEntry'>[] }>
export type SyncAnswer = Answer<'SyncAnswer', { notices: DoubleEntry[]; conflicts: DoubleEntry[] }>
export type DownloadedTicket = Answer<'DownloadTicket'>
export type DownloadPage = Answer<'DownloadPage'>

// gate
export type Paired = Answer<'Paired'>
/** A copy kept from an older server says less. */
type SetupWords = {
  event: Narrow<Answer<'SetupEvent'>, { offline_hours?: number; offline_after_ms?: number }>
  peers?: Answer<'Peer'>[]
}
export type GateSetup = Answer<'GateSetup', SetupWords>
/** Of a ticket without a name also until when it is good; an older server says nothing of either. */
export type VerdictTicket = Answer<'VerdictTicket', { anonymous?: boolean; expires_at?: string | null }>
export type Verdict = Answer<
  'Verdict',
  {
    verdict: 'admit' | 'refuse' | 'undo'
    /** Which way; an entry when it is not said. */
    direction?: 'entry' | 'exit'
    merkle_validation?: MerkleValidation | null
    ticket: VerdictTicket | null
  }
>
export type UndoneEntry = Answer<'UndoneEntry'>
export type ScanInput = Schemas['ScanInput']

// the audit log
export type LogKey = Answer<'LogKey'>
export type LogPath = Answer<'Proof'>

// ticket controls by program, and the sandbox
export type Sandbox = Answer<'Sandbox'>
export type ControlField = Answer<'ControlField'>
export type Generated = Answer<'Generated'>
export type Verified = Answer<'Verified'>
export type Redeemed = Answer<'Redeemed'>
export type Revoked = Answer<'Revoked'>
export type EdgeVerdict = Answer<'EdgeVerdict'>
export type EnrolledDevice = Answer<'EnrolledDevice'>
export type SpentExport = Answer<'SpentExport'>
export type SyncSummary = Answer<'SyncSummary'>
export type Conflict = Answer<'Conflict'>

export type ProblemBody = Schemas['Problem']
