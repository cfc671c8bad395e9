// Which page of tickets without a name the address means; what stands behind the '#' is no secret here.

export type AnonymousRoute =
  | { page: 'buy'; event: string }
  | { page: 'voucher'; code: string }
  | { page: 'purchase'; id: string }
  | { page: 'returned'; paid: boolean }
  | { page: 'token'; number: string }
  | { page: 'backup' }

export function anonymousRoute(hash: string): AnonymousRoute | null {
  const [, page, value = ''] =
    /^#(buy|voucher|purchase|token|paid|unpaid|backup)(?:=([\w%.~ -]{1,200}))?$/.exec(hash) ?? []
  switch (page) {
    case 'buy':
      return value ? { page, event: decode(value) } : null
    case 'voucher':
      return { page, code: decode(value) }
    case 'purchase':
      return value ? { page, id: value } : null
    case 'token':
      return value ? { page, number: value } : null
    case 'paid':
    case 'unpaid':
      return { page: 'returned', paid: page === 'paid' }
    case 'backup':
      return { page }
    default:
      return null
  }
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
