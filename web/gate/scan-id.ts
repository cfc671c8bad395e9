// A ScanId names one presentation of a code: 16 random bytes as base64url, the idempotency key of the request.
import { base64url } from './base64url.ts'

export const drawScanId = () => base64url(crypto.getRandomValues(new Uint8Array(16)))
