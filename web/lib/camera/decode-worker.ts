// Reads QR codes off the main thread. Two passes take turns: a fast one on a half-size frame, a thorough one on the full frame.
import { prepareZXingModule, type ReaderOptions, readBarcodes } from 'zxing-wasm/reader'

export type ToWorker =
  | { kind: 'start'; wasmUrl: string }
  | { kind: 'frame'; frame: ImageBitmap | ImageData; thorough: boolean }
export type FromWorker = { kind: 'ready' } | { kind: 'read'; text: string | null } | { kind: 'broken' }

const common: ReaderOptions = {
  formats: ['QRCode'],
  maxNumberOfSymbols: 1,
  tryRotate: false,
  textMode: 'Plain',
}
const fast: ReaderOptions = { ...common, tryHarder: false, tryInvert: false, tryDownscale: false }
const thorough: ReaderOptions = { ...common, tryHarder: true, tryInvert: true, tryDownscale: true }

let canvas: OffscreenCanvas | null = null

function pixels(frame: ImageBitmap | ImageData): ImageData {
  if (frame instanceof ImageData) return frame
  if (canvas?.width !== frame.width || canvas.height !== frame.height) {
    canvas = new OffscreenCanvas(frame.width, frame.height)
  }
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('no canvas')
  context.drawImage(frame, 0, 0)
  const { width, height } = frame
  frame.close()
  return context.getImageData(0, 0, width, height)
}

const answer = (message: FromWorker) => self.postMessage(message)

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  try {
    if (data.kind === 'start') {
      await prepareZXingModule({ overrides: { locateFile: () => data.wasmUrl }, fireImmediately: true })
      answer({ kind: 'ready' })
      return
    }
    const [found] = await readBarcodes(pixels(data.frame), data.thorough ? thorough : fast)
    answer({ kind: 'read', text: found?.isValid ? found.text : null })
  } catch {
    // One bad frame never stops the scanner; a decoder that does not start is told.
    answer(data.kind === 'start' ? { kind: 'broken' } : { kind: 'read', text: null })
  }
}
