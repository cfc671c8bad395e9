// What a device keeps is sealed with a key that no script can read out: AES-GCM under a WebCrypto key.

export type Bytes = Uint8Array<ArrayBuffer>
export type Sealed = { iv: Bytes; data: ArrayBuffer }

const IV_BYTES = 12

/** Non-extractable: whoever copies the database's bytes through a script gets no key with them. */
export const makeSealKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])

/** `place` is bound in: what was sealed for one place opens in no other. */
export async function seal(key: CryptoKey, place: string, text: string): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const additionalData = new TextEncoder().encode(place)
  const data = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData },
    key,
    new TextEncoder().encode(text),
  )
  return { iv, data }
}

/** Throws when it was sealed for another place, with another key, or changed since. */
export async function unseal(key: CryptoKey, place: string, sealed: Sealed): Promise<string> {
  const additionalData = new TextEncoder().encode(place)
  const plain = await crypto.subtle.decrypt(
    { name: 'AES-GCM', iv: sealed.iv, additionalData },
    key,
    sealed.data,
  )
  return new TextDecoder().decode(plain)
}
