// One way to call the server: JSON in and out, problems (RFC 9457) as one error class, the lack of an answer as another.
import type { ProblemBody } from './types.ts'

/** The server answered, and the answer is no. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly fields: { name: string; message: string }[]
  readonly retryAfterSeconds: number | null

  constructor(body: Partial<ProblemBody>, status: number) {
    super(body.detail || body.title || `The server answered ${status}.`)
    this.status = status
    this.code = body.code ?? 'internal'
    this.fields = body.fields ?? []
    this.retryAfterSeconds = body.retry_after_s ?? null
  }
}

/** No answer came: no network, a timeout, or something between us and the server answered instead of it. */
export class NoAnswer extends Error {}

export type CallOptions = {
  body?: unknown
  bearer?: string
  headers?: Record<string, string>
  timeoutMs?: number
  /** Statuses besides 2xx whose JSON body is an answer, not a problem. */
  accept?: number[]
}

const DEFAULT_TIMEOUT_MS = 15_000

async function exchange(method: string, path: string, options: CallOptions): Promise<Response> {
  const headers = new Headers(options.headers)
  if (options.body !== undefined) headers.set('content-type', 'application/json')
  if (options.bearer) headers.set('authorization', `Bearer ${options.bearer}`)
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      credentials: options.bearer ? 'omit' : 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: abort.signal,
    })
    const isProblem = (response.headers.get('content-type') ?? '').includes('problem+json')
    if (response.ok || (options.accept?.includes(response.status) && !isProblem)) {
      // The body is part of the answer: it is read under the same timeout.
      return new Response(response.status === 204 ? null : await response.blob(), response)
    }
    throw await problemOf(response)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new NoAnswer(`${method} ${path}: no answer`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function problemOf(response: Response): Promise<Error> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.includes('json')) {
    return response.status >= 500
      ? new NoAnswer(`status ${response.status} from something that is not our server`)
      : new Problem({}, response.status)
  }
  const body = (await response.json()) as Partial<ProblemBody>
  const retry = Number(response.headers.get('retry-after'))
  if (body.retry_after_s === undefined && retry > 0) body.retry_after_s = retry
  return new Problem(body, response.status)
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await exchange(method, path, options)
  if (response.status === 204) return undefined as T
  const type = response.headers.get('content-type') ?? ''
  if (!type.includes('json')) throw new NoAnswer(`${method} ${path}: the answer is not JSON`)
  return (await response.json()) as T
}

export async function download(
  path: string,
  { method = 'GET', ...options }: CallOptions & { method?: string } = {},
): Promise<Blob> {
  return (await exchange(method, path, options)).blob()
}

/** A path segment made of text that may hold anything. */
export const segment = encodeURIComponent
