// How long a person waits: from the camera's frame to the painted verdict, with the network and without. Reads { url, pairing, codes }
// from standard input, where `pairing` and `codes` are two of each, and writes { online: ms[], offline: ms[] }; used by `cargo xtask bench gate`.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'uqr'
import { launch } from './place.ts'

const WIDTH = 640
const HEIGHT = 480
const FRAMES_A_SECOND = 15
/** Frames in which a code is held up, and frames between two. */
const HELD = 15
const BETWEEN = 4
/** Nothing is held up at first: the gate is only just opening its eye. */
const BEFORE = 30
const PAUSE = 0x80

function frame(code: string | null): Buffer {
  const picture = Buffer.alloc(WIDTH * HEIGHT, code === null ? PAUSE : 0xff)
  if (code === null) return picture
  const { data, size } = encode(code, { ecc: 'M', border: 4 })
  const scale = Math.floor(HEIGHT / size)
  const [left, top] = [Math.floor((WIDTH - size * scale) / 2), Math.floor((HEIGHT - size * scale) / 2)]
  for (let y = 0; y < size * scale; y += 1) {
    for (let x = 0; x < size * scale; x += 1) {
      if (data[Math.floor(y / scale)]?.[Math.floor(x / scale)]) picture[(top + y) * WIDTH + left + x] = 0
    }
  }
  return picture
}

/** A film in which one ticket after the other is held before the camera. */
function film(codes: string[], folder: string, name: string): string {
  const empty = frame(null)
  const frames = Array<Buffer>(BEFORE).fill(empty)
  for (const code of codes) {
    frames.push(...Array<Buffer>(HELD).fill(frame(code)), ...Array<Buffer>(BETWEEN).fill(empty))
  }
  const path = join(folder, `${name}.mjpeg`)
  const input = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${WIDTH}x${HEIGHT}`, '-r', `${FRAMES_A_SECOND}`]
  const output = ['-pix_fmt', 'yuvj420p', '-c:v', 'mjpeg', '-q:v', '3', '-f', 'mjpeg', path]
  execFileSync('ffmpeg', ['-y', '-loglevel', 'error', ...input, '-i', '-', ...output], {
    input: Buffer.concat(frames),
  })
  return path
}

type Waits = Window & { waits?: number[] }

/** Milliseconds of each verdict, in the order of the film. */
async function waits(url: string, pairing: string, codes: string[], picture: string, cut: boolean) {
  const browser = await launch([
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${picture}`,
  ])
  try {
    const context = await browser.newContext({ permissions: ['camera'], locale: 'en-GB' })
    const page = await context.newPage()
    await page.goto(`${url}/gate/#pair=${pairing}`)
    // Ready for the network to go once it has heard from the server what it needs to know.
    const ready = page.waitForResponse(answer => answer.url().endsWith('/v1/sync_offline'))
    await page.getByRole('button', { name: 'Pair and start' }).click()
    await ready
    const gate = page.getByRole('button', { name: 'Main Gate' })
    await gate.waitFor()
    await page.evaluate(() => {
      const all: number[] = []
      ;(window as Waits).waits = all
      new PerformanceObserver(list => {
        for (const entry of list.getEntriesByName('admit-scan')) all.push(entry.duration)
      }).observe({ type: 'measure' })
    })
    if (cut) await context.setOffline(true)
    await gate.click()
    await page.waitForFunction(wanted => ((window as Waits).waits?.length ?? 0) >= wanted, codes.length, {
      timeout: 180_000,
    })
    return await page.evaluate(() => (window as Waits).waits ?? [])
  } finally {
    await browser.close()
  }
}

export async function main(): Promise<void> {
  const asked = JSON.parse(readFileSync(0, 'utf8')) as { url: string; pairing: string[]; codes: string[][] }
  const folder = await mkdtemp(join(tmpdir(), 'admit-measure-'))
  const told: Record<string, number[]> = {}
  try {
    for (const [at, name] of ['online', 'offline'].entries()) {
      const codes = asked.codes[at] ?? []
      const picture = film(codes, folder, name)
      told[name] = await waits(asked.url, asked.pairing[at] ?? '', codes, picture, name === 'offline')
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  process.stdout.write(JSON.stringify(told))
}
