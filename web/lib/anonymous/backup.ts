// A backup of purchases and tickets without a name, locked with a passphrase: PBKDF2 and AES-GCM of this browser, in a JSON envelope.
import { type Bytes, fromBase64Url, toBase64Url } from '../rotation/code.ts'
import type { Purchase, Token } from './purchase.ts'

const FORMAT = 'admit-one/wallet-backup'
const VERSION = 1
const ROUNDS = 600_000
/** A file may ask for more work, but not for so much that the phone stands still. */
const ROUNDS_MAX = 10_000_000
const SALT_BYTES = 16
const IV_BYTES = 12
const KEY_BYTES = 32
const CHECK_BYTES = 8

export const PASSPHRASE_MIN = 12

export type Contents = { purchases: Purchase[]; tokens: Token[] }

type Envelope = {
  format: string
  version: number
  kdf: { name: 'PBKDF2'; hash: 'SHA-256'; rounds: number; salt: string }
  cipher: { name: 'AES-256-GCM'; iv: string }
  /** Of the same derivation as the key, and no part of it: tells a wrong passphrase from a damaged file. */
  check: string
  data: string
}

export type BackupTrouble = 'not_backup' | 'newer_version' | 'wrong_passphrase' | 'damaged'

export class BackupError extends Error {
  readonly trouble: BackupTrouble

  constructor(trouble: BackupTrouble, cause?: unknown) {
    super(trouble, { cause })
    this.trouble = trouble
  }
}

/** Bytes have no JSON: they stand as an object with one name, which nothing else here has. */
const packed = (_name: string, value: unknown) =>
  value instanceof Uint8Array ? { b64u: toBase64Url(value as Bytes) } : value
const unpacked = (_name: string, value: unknown) =>
  value && typeof value === 'object' && 'b64u' in value ? fromBase64Url(String(value.b64u)) : value

async function derive(passphrase: string, { salt, rounds }: Envelope['kdf']) {
  // The same letters are the same passphrase, however a keyboard composes them.
  const text = new TextEncoder().encode(passphrase.normalize('NFC'))
  const base = await crypto.subtle.importKey('raw', text, 'PBKDF2', false, ['deriveBits'])
  const algorithm = { name: 'PBKDF2', hash: 'SHA-256', salt: fromBase64Url(salt), iterations: rounds }
  const bits = new Uint8Array(await crypto.subtle.deriveBits(algorithm, base, KEY_BYTES * 8))
  const hkdf = await crypto.subtle.importKey('raw', bits, 'HKDF', false, ['deriveKey', 'deriveBits'])
  bits.fill(0)
  const use = (info: string) => ({
    ...{ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array() },
    info: new TextEncoder().encode(info),
  })
  const aes = { name: 'AES-GCM', length: KEY_BYTES * 8 }
  const key = await crypto.subtle.deriveKey(use('key'), hkdf, aes, false, ['encrypt', 'decrypt'])
  const check = await crypto.subtle.deriveBits(use('check'), hkdf, CHECK_BYTES * 8)
  return { key, check: toBase64Url(new Uint8Array(check)) }
}

/** What stands outside the lock is bound to what is inside. */
const bound = ({ format, version, kdf }: Omit<Envelope, 'check' | 'data' | 'cipher'>): Bytes =>
  new TextEncoder().encode(JSON.stringify([format, version, kdf.name, kdf.hash, kdf.rounds, kdf.salt]))

export async function lock(contents: Contents, passphrase: string, rounds = ROUNDS): Promise<string> {
  const salt = toBase64Url(crypto.getRandomValues(new Uint8Array(SALT_BYTES)))
  const head = {
    format: FORMAT,
    version: VERSION,
    kdf: { name: 'PBKDF2', hash: 'SHA-256', rounds, salt },
  } as const
  const { key, check } = await derive(passphrase, head.kdf)
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const plain = new TextEncoder().encode(JSON.stringify(contents, packed))
  const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: bound(head) }, key, plain)
  const envelope: Envelope = {
    ...head,
    cipher: { name: 'AES-256-GCM', iv: toBase64Url(iv) },
    check,
    data: whole(new Uint8Array(data)),
  }
  return JSON.stringify(envelope, null, 1)
}

/** In pieces, for a call takes only so many arguments. */
function whole(bytes: Bytes): string {
  const PIECE = 3 * 4096
  let text = ''
  for (let at = 0; at < bytes.length; at += PIECE) text += toBase64Url(bytes.slice(at, at + PIECE))
  return text
}

function readEnvelope(text: string): Envelope {
  let envelope: Partial<Envelope> | null
  try {
    envelope = JSON.parse(text)
  } catch (error) {
    throw new BackupError('not_backup', error)
  }
  if (envelope?.format !== FORMAT || typeof envelope.version !== 'number') throw new BackupError('not_backup')
  if (envelope.version > VERSION) throw new BackupError('newer_version')
  const { kdf, cipher, check, data } = envelope
  const readable =
    kdf?.name === 'PBKDF2' &&
    kdf.hash === 'SHA-256' &&
    Number.isInteger(kdf.rounds) &&
    kdf.rounds > 0 &&
    kdf.rounds <= ROUNDS_MAX &&
    [kdf.salt, cipher?.iv, check, data].every(part => typeof part === 'string' && /^[\w-]+$/.test(part))
  if (!readable) throw new BackupError('damaged')
  return envelope as Envelope
}

export async function unlock(text: string, passphrase: string): Promise<Contents> {
  const envelope = readEnvelope(text)
  const { key, check } = await derive(passphrase, envelope.kdf)
  if (check !== envelope.check) throw new BackupError('wrong_passphrase')
  try {
    const iv = fromBase64Url(envelope.cipher.iv)
    const plain = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv, additionalData: bound(envelope) },
      key,
      fromBase64Url(envelope.data),
    )
    const { purchases, tokens } = JSON.parse(new TextDecoder().decode(plain), unpacked) as Contents
    return { purchases, tokens }
  } catch (error) {
    throw new BackupError('damaged', error)
  }
}
