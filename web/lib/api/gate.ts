// Calls of a gate device: pairing, its setup, and admissions with the ScanId that makes a retry safe.
import { call, segment } from './http.ts'
import type { GateSetup, Paired, ScanInput, UndoneEntry, Verdict } from './types.ts'

const ADMISSION_TIMEOUT_MS = 3_000

export const pair = (input: { code: string; platform: string }) =>
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
