// The codes against the format's page, made here a second time by other means.
import { createHmac, generateKeyPairSync, sign, verify } from 'node:crypto'
import { expect, it } from 'vitest'
import {
  answerCode,
  type Bytes,
  base45,
  challengeMessage,
  deviceCode,
  epochAt,
  fromBase64Url,
  possessionMessage,
  secondsLeft,
  sharedCode,
  sharedMessage,
  toBase64Url,
} from './code.ts'

const TICKET = 18_446_744_073_709_551_557n // near the end of u64, where a JavaScript number would round
const EPOCH = 60_000_001
const bytesOf = (text: string): Bytes => new TextEncoder().encode(text)
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const head = (size: number): Bytes => Uint8Array.from({ length: size }, (_, at) => (at * 37) % 256)

/** Base45 by long division over pairs, written apart from the code under test. */
function decoded(text: string): string {
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
  let hex = ''
  for (const [group] of text.matchAll(/.{3}|.{2}$/g)) {
    const value = [...group].reduce((sum, letter, at) => sum + letters.indexOf(letter) * 45 ** at, 0)
    hex += value.toString(16).padStart(group.length === 3 ? 4 : 2, '0')
  }
  return hex
}

it('writes the base45 of RFC 9285', () => {
  expect(base45(bytesOf('AB'))).toBe('BB8')
  expect(base45(bytesOf('Hello!!'))).toBe('%69 VD92EX0')
  expect(base45(bytesOf('base-45'))).toBe('UJCLQE7W581')
  expect(base45(bytesOf('ietf!'))).toBe('QED8WEX0')
  expect(base45(new Uint8Array())).toBe('')
  expect(base45(new Uint8Array([255, 255]))).toBe('FGW')
})

it('reads and writes base64url', () => {
  expect(hexOf(fromBase64Url('-_8'))).toBe('fbff')
  expect(toBase64Url(new Uint8Array([0xfb, 0xff]))).toBe('-_8')
})

it('counts epochs and the seconds that are left of one', () => {
  expect(epochAt(1_800_000_000_000, 30)).toBe(60_000_000)
  expect(epochAt(1_800_000_029_999, 30)).toBe(60_000_000)
  expect(epochAt(1_800_000_030_000, 30)).toBe(60_000_001)
  expect(secondsLeft(1_800_000_000_000, 30)).toBe(30)
  expect(secondsLeft(1_800_000_005_400, 30)).toBe(25)
  expect(secondsLeft(1_800_000_029_999, 30)).toBe(1)
})

it('signs event, ticket and epoch, big-endian', () => {
  expect(hexOf(possessionMessage(7, TICKET, EPOCH))).toBe(
    `${hexOf(bytesOf('admit-one/rot/v1'))}00${'00000007'}${'ffffffffffffffc5'}${'03938701'}`,
  )
  expect(hexOf(sharedMessage(TICKET, EPOCH))).toBe(
    `${hexOf(bytesOf('admit-one/rot/v1'))}00${'03938701'}${'ffffffffffffffc5'}`,
  )
})

it('composes the code of a device key: head, epoch, signature', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = possessionMessage(7, TICKET, EPOCH)
  const made = sign('sha256', message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
  const code = deviceCode(head(123), EPOCH, new Uint8Array(made))
  expect(code).toHaveLength(290)
  const hex = decoded(code.slice(3))
  expect(hex.slice(0, 246)).toBe(hexOf(head(123)))
  expect(hex.slice(246, 254)).toBe('03938701')
  const signature = Buffer.from(hex.slice(254), 'hex')
  const key = { key: pair.publicKey, dsaEncoding: 'ieee-p1363' as const }
  expect(verify('sha256', message, key, signature)).toBe(true)
})

it('composes the code of a shared secret: head, low half of the epoch, 8 bytes of proof', () => {
  const tag = createHmac('sha256', Buffer.alloc(32, 9)).update(sharedMessage(TICKET, EPOCH)).digest()
  const code = sharedCode(head(90), EPOCH, new Uint8Array(tag))
  expect(code).toHaveLength(153)
  const hex = decoded(code.slice(3))
  expect(hex).toBe(`${hexOf(head(90))}8701${tag.toString('hex').slice(0, 16)}`)
})

// Made by `challenge_message` and `device_code` of crates/admit-core, with the key 01…01 (RFC 6979), gate 513.
const FROM_CORE = {
  nonce: '00010203fbfffeff',
  message: '61646d69742d6f6e652f726f742f76310000000007ffffffffffffffc5ffffffff020100010203fbfffeff',
  signature:
    'a1e4dc1f5f7c0f2b2ed3782b4b0faebb01423d8ac45af9103caea51964fa9ccf4d9be00eac7aacae2c46f551dde7ad56274b92b89de4e93a5c39b043cd68b821',
  code: 'R1:$00KI93 I03SC45+LEN*N4Z0W7AFPJC$SO%57BFZSOGO1:-AREKOQT R6J0G2IPSD2BVB*3L FU3H7VYGE7Q+23NKC6%L35VF68/NHQ-Q7$3Z9DIRMF*VR+8ADI%URJQ42:DUGNBC0*T9M2JJESVF5EXE.5ON116JAY JV3T/46QMF9+OZZ1I8BCRKFGWBEW/-SL/3YUFTK51XQDL59:1%SN$G8JOHOMBG22O3MK93VUVE9QYVJL%1*MF%0MU/8WFA:CT5+A-O9BFNB.S0H78D7WP8XADX0',
}

it('answers a gate as the core does: event, ticket, no epoch, gate, and the bytes it drew', () => {
  const bytes = (hex: string): Bytes => new Uint8Array(Buffer.from(hex, 'hex'))
  const message = challengeMessage(7, TICKET, 513, bytes(FROM_CORE.nonce))
  expect(hexOf(message)).toBe(FROM_CORE.message)
  expect(answerCode(head(123), bytes(FROM_CORE.signature))).toBe(FROM_CORE.code)
})
