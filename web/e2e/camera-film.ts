// Makes the film that Chromium's fake camera plays: a ticket's PDF held up, taken away, and held up again.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Seconds in which the ticket is in view. The film loops, so both ends are empty. */
const held = [
  [2, 6],
  [11, 15],
] as const
const LENGTH = 19

export function filmOf(pdf: string, folder: string): string {
  const page = join(folder, 'page')
  execFileSync('pdftoppm', ['-r', '110', '-png', '-singlefile', pdf, page])
  const film = join(folder, 'camera.mjpeg')
  const inView = held.map(([from, until]) => `between(t,${from},${until})`).join('+')
  // A hand is never still: the paper drifts by a few pixels, slightly turned, over a dark ground.
  const code = codeOffset(`${page}.png`)
  const filter = [
    `[1:v]format=rgba,rotate=0.03*sin(t*2):c=none:ow=rotw(0.03):oh=roth(0.03)[paper]`,
    `[0:v][paper]overlay=x='(W-w)/2+${code.x}+18*sin(t*3)':y='(H-h)/2+${code.y}+14*cos(t*2)':enable='${inView}'[out]`,
  ].join(';')
  execFileSync(
    'ffmpeg',
    [
      '-y',
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      `color=c=0x30343a:s=1280x720:r=15:d=${LENGTH}`,
      '-loop',
      '1',
      '-t',
      String(LENGTH),
      '-i',
      `${page}.png`,
    ].concat([
      '-filter_complex',
      filter,
      '-map',
      '[out]',
      '-pix_fmt',
      'yuvj420p',
      '-c:v',
      'mjpeg',
      '-q:v',
      '3',
      '-f',
      'mjpeg',
      film,
    ]),
  )
  return film
}

/** How far the page must move so that its code is in the middle: the code is where black and white change most often. */
function codeOffset(png: string): { x: number; y: number } {
  const scale = 5
  const probe = ['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', png]
  const [fullWidth = 0, fullHeight = 0] = execFileSync('ffprobe', probe)
    .toString()
    .trim()
    .split(',')
    .map(Number)
  const width = Math.floor(fullWidth / scale)
  const height = Math.floor(fullHeight / scale)
  const grey = ['-loglevel', 'error', '-i', png, '-vf', `scale=${width}:${height}:flags=neighbor,format=gray`]
  const pixels = execFileSync('ffmpeg', [...grey, '-f', 'rawvideo', '-'], { maxBuffer: 1 << 26 })
  const busy = (x: number, y: number) => {
    const at = y * width + x
    const here = pixels[at] ?? 0
    return Math.abs(here - (pixels[at + 1] ?? 0)) > 128 && Math.abs(here - (pixels[at + width] ?? 0)) > 128
      ? 1
      : 0
  }
  const window = Math.round(width / 4)
  let best = { x: 0, y: 0, sum: -1 }
  for (let top = 0; top + window < height; top += 3) {
    for (let left = 0; left + window < width; left += 3) {
      let sum = 0
      for (let y = top; y < top + window; y++) for (let x = left; x < left + window; x++) sum += busy(x, y)
      if (sum > best.sum) best = { x: left + window / 2, y: top + window / 2, sum }
    }
  }
  return { x: Math.round(fullWidth / 2 - best.x * scale), y: Math.round(fullHeight / 2 - best.y * scale) }
}
