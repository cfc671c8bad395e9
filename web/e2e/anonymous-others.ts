// A ticket by the gate’s camera; and one of a Privacy Pass client that nobody here wrote (@cloudflare/blindrsa-ts): what our server
// signs for it must be a ticket.
import { createHash, randomBytes } from 'node:crypto'
import { RSABSSA } from '@cloudflare/blindrsa-ts'
import { buys, type World, wallet } from './anonymous-shop.ts'
import { gateOf, hold, withCamera } from './proof.ts'
import { api, made } from './rotation.ts'
import { must } from './step.ts'

const suite = RSABSSA.SHA384.PSS.Deterministic()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
const HEAD_OF_MODULUS = Buffer.from('0282010100', 'hex')
const MODULUS_BYTES = 256

/** WebCrypto takes no key in the form of RSASSA-PSS: its modulus, as a JWK. */
async function publicKey(spki: Buffer): Promise<CryptoKey> {
  const at = spki.lastIndexOf(HEAD_OF_MODULUS) + HEAD_OF_MODULUS.length
  const n = spki.subarray(at, at + MODULUS_BYTES).toString('base64url')
  const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'PS384', ext: true }
  return crypto.subtle.importKey('jwk', jwk, { name: 'RSA-PSS', hash: 'SHA-384' }, true, ['verify'])
}

/** Draws a token for a key as it is published; `finish` makes its signature of the server's answer. */
async function othersToken(spki: string, challenge: string, keyId: string) {
  const key = await publicKey(Buffer.from(spki, 'base64url'))
  const nonce = randomBytes(32)
  const digest = sha256(Buffer.from(challenge, 'base64url'))
  const input = Buffer.concat([Buffer.from([0, 2]), nonce, digest, Buffer.from(keyId, 'hex')])
  const message = suite.prepare(new Uint8Array(input))
  const { blindedMsg, inv } = await suite.blind(key, message)
  const finish = async (signed: string): Promise<string> => {
    const signature = await suite.finalize(key, message, new Uint8Array(Buffer.from(signed, 'base64')), inv)
    return Buffer.from(signature).toString('base64')
  }
  return { token: nonce.toString('base64'), blinded: Buffer.from(blindedMsg).toString('base64'), finish }
}

/** As a conductor does it: the screen of the phone before the scanner's camera. */
export async function byCamera({ browser, desk, place, slug }: World): Promise<void> {
  const page = await wallet(browser)
  await buys(page, place, slug)
  await page.getByText('Show the code big').click()
  const shot = await page.locator('dialog img.code').screenshot()
  const gate = await gateOf(browser, desk, place, slug, withCamera)
  await gate.locator('video:not([hidden])').first().waitFor()
  await hold(gate, `data:image/png;base64,${shot.toString('base64')}`)
  await gate.locator('.verdict[data-tone="admit"]').waitFor()
  const word = await gate.locator('.verdict .word').textContent()
  must(word === 'Admit', `the camera's ticket: Admit, not ${word}`)
  await page.context().close()
  await gate.context().close()
}

/** A wallet that nobody here wrote: its token is signed by the server, and admitted. */
export async function ofOthers({ desk, slug }: World): Promise<void> {
  const order = await made(desk, '/v1/checkout', {
    ...{ event: slug, ticket_type: 1, day: null, quantity: 1, payment_provider: 'TEST' },
  })
  await made(desk, '/test/verify', { provider_receipt_id: order.provider_receipt_id })
  const { receipt_id } = await made(desk, '/v1/verify_receipt', {
    ...{ payment_provider: 'TEST', provider_receipt_id: order.provider_receipt_id },
  })
  const published = await api(desk, 'GET', `/v1/events/${slug}/issuer-keys`)
  const keys = published.body.keys as (Record<string, string> & { ticket_type: number })[]
  const key = keys.find(one => one.ticket_type === 1)
  must(key, 'a key for the pass')
  const { token, blinded, finish } = await othersToken(
    key.public_key ?? '',
    key.token_challenge ?? '',
    key.key_id ?? '',
  )
  const { signed_blinded } = await made(desk, '/v1/sign_blinded', {
    ...{ receipt_id, blinded_token: blinded, key_id: key.key_id },
  })
  const signature = await finish(String(signed_blinded))
  const redeemed = await made(desk, '/v1/redeem', { event: slug, token, signature, gate: 1 })
  must(redeemed.status === 'accepted', 'the token of another implementation accepted')
}
