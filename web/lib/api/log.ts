// Calls about the audit log of an event, which anybody may make.
import { call, download, segment } from './http.ts'
import type { LogKey, LogPath } from './types.ts'

const log = (event: string) => `/v1/events/${segment(event)}/log`

export const getLogKey = (event: string) => call<LogKey>('GET', log(event))

export const getCheckpoint = async (event: string) => (await download(`${log(event)}/checkpoint`)).text()

export const getReceipt = (event: string, index: number) => download(`${log(event)}/receipts/${index}`)

export const getConsistency = (event: string, from: number, to: number) =>
  call<LogPath>('GET', `${log(event)}/consistency/${from}/${to}`)
