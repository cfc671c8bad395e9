// Calls of a gate device: pairing, its setup, and admissions with the ScanId that makes a retry safe.
import { call, download, segment } from './http.ts'
import type { DownloadPage, GateSetup, Paired, ScanInput, UndoneEntry, Verdict } from './types.ts'

const ADMISSION_TIMEOUT_MS = 3_000
const SYNC_TIMEOUT_MS = 20_000

export const pair = (input: { code: string; platform: string; public_key?: string }) =>
  call<Paired>('POST', '/v1/pair', { body: input })

export const getGateSetup = (token: string) =>
  call<GateSetup>('GET', '/v1/gate', { bearer: token, timeoutMs: ADMISSION_TIMEOUT_MS })

/** 409 is an answer here: a refusal is a value, not an error. */
export const admit = (token: string, input: ScanInput) =>
  call<Verdict>('POST', '/v1/gate/admissions', {
    body: input,
    bearer: token,
    timeoutMs: ADMISSION_TIMEOUT_MS,
    accept: [409],
  })

export const undoAdmission = (token: string, scanId: string) =>
  call<UndoneEntry>('POST', `/v1/gate/admissions/${segment(scanId)}/undo`, {
    bearer: token,
    timeoutMs: ADMISSION_TIMEOUT_MS,
  })

/** What happened here and what happened elsewhere, both ways. The answer stays text: the core reads it. */
export const syncOffline = async (token: string, body: unknown): Promise<string> => {
  const options = { method: 'POST', body, bearer: token, timeoutMs: SYNC_TIMEOUT_MS }
  return (await download('/v1/sync_offline', options)).text()
}

export const getDownloadPage = (token: string, after: number | null) =>
  call<DownloadPage>('GET', `/v1/gate/download${after === null ? '' : `?after=${after}`}`, {
    bearer: token,
  })
