// A voucher's code as people type it and as cards show it (docs/formats/anonymous.md): 18 signs, of which the last checks the others.

const SIGNS = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'
const LENGTH = 18
const PRIME = 31

/** The code as the server takes it, or none: a slip is noticed here and costs no try. */
export function readVoucher(text: string): string | null {
  // A card's picture may say more than the code: the link that opens this page with it.
  const signs = (text.split('voucher=').at(-1) ?? '').replace(/[\s-]/g, '').toUpperCase()
  if (signs.length !== LENGTH) return null
  const values = [...signs].map(sign => SIGNS.indexOf(sign))
  const sum = values.reduce((total, value, at) => total + (at + 1) * value, 0)
  return values.includes(-1) || sum % PRIME !== 0 ? null : (signs.match(/.{6}/g) ?? []).join('-')
}
