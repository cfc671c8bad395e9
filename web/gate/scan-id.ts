// A ScanId names one presentation of a code: 16 random bytes as base64url, the idempotency key of the request.

export function drawScanId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}
