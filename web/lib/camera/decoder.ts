// Feeds camera frames to the decoding worker, one at a time, and hands over what it reads.
import wasmUrl from 'zxing-wasm/reader/zxing_reader.wasm?url'
import { trustedUrl } from '../pwa/trusted-url.ts'
import type { FromWorker, ToWorker } from './decode-worker.ts'
import workerUrl from './decode-worker.ts?worker&url'

const FRAME_PAUSE_MS = 40
const STALLED_MS = 4_000

/** `seenAt`: when the frame was taken, for measuring how long a person waits. */
type DecoderEvents = { read: (code: string, seenAt: number) => void; broken: () => void }

/** Fetches the decoder once, so that the worker of an installed page keeps it for a time without a network; then it is kept. */
export const keepDecoder = async (): Promise<void> => {
  // A worker that is ready does not yet answer this page's requests; one that controls it does.
  if ('serviceWorker' in navigator && !navigator.serviceWorker.controller)
    await new Promise(done =>
      navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }),
    )
  await Promise.all([wasmUrl, workerUrl].map(url => fetch(url)))
}

export function startDecoder(video: HTMLVideoElement, events: DecoderEvents): () => void {
  let stopped = false
  let thorough = false
  let sentAt = 0
  let worker = startWorker()

  function startWorker(): Worker {
    const made = new Worker(trustedUrl(workerUrl), { type: 'module', name: 'decoder' })
    made.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      const seenAt = sentAt
      sentAt = 0
      if (data.kind === 'broken') return events.broken()
      if (data.kind === 'read' && data.text !== null && !stopped) events.read(data.text, seenAt)
      setTimeout(next, FRAME_PAUSE_MS)
    }
    made.onerror = () => events.broken()
    made.postMessage({ kind: 'start', wasmUrl: new URL(wasmUrl, location.href).href } satisfies ToWorker)
    return made
  }

  async function next(): Promise<void> {
    if (stopped || sentAt > 0) return
    if (document.visibilityState !== 'visible' || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      setTimeout(next, 250)
      return
    }
    sentAt = performance.now()
    thorough = !thorough
    try {
      const frame = await grab(video, thorough)
      worker.postMessage(
        { kind: 'frame', frame, thorough } satisfies ToWorker,
        frame instanceof ImageData ? [] : [frame],
      )
    } catch {
      sentAt = 0
      setTimeout(next, 250)
    }
  }

  // A worker that went silent (a phone out of memory) is replaced; the scanner must not just stand still.
  const watchdog = setInterval(() => {
    if (sentAt === 0 || performance.now() - sentAt < STALLED_MS || document.visibilityState !== 'visible')
      return
    worker.terminate()
    sentAt = 0
    worker = startWorker()
  }, 1_000)

  return () => {
    stopped = true
    clearInterval(watchdog)
    worker.terminate()
  }
}

let canvas: HTMLCanvasElement | null = null

async function grab(video: HTMLVideoElement, full: boolean): Promise<ImageBitmap | ImageData> {
  const scale = full ? 1 : 0.5
  const width = Math.round(video.videoWidth * scale)
  const height = Math.round(video.videoHeight * scale)
  if ('OffscreenCanvas' in globalThis) {
    if (full) return createImageBitmap(video)
    const resize: ImageBitmapOptions = { resizeWidth: width, resizeHeight: height, resizeQuality: 'low' }
    // Older Safari knows no resizing here: the full frame then serves both passes.
    return createImageBitmap(video, resize).catch(() => createImageBitmap(video))
  }
  canvas ??= document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('no canvas')
  context.drawImage(video, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}
