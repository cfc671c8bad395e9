// What can be a ticket's code at all: short, and text. Everything else is refused here, and sent nowhere.

const MAX_BYTES = 600

export function looksLikeCode(text: string): boolean {
  if (text.length === 0 || text.length > MAX_BYTES) return false
  // Control characters, lone surrogates and the replacement character stand for bytes that were never text.
  if (/[\p{Cc}\p{Cs}\p{Co}\p{Cn}\uFFFD]/u.test(text)) return false
  return new TextEncoder().encode(text).length <= MAX_BYTES
}
