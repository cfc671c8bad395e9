// The camera: the one this device used last, else the rear one; its light where it has one. Asked for once per visit.

export type CameraTrouble = 'denied' | 'missing' | 'busy' | 'insecure' | 'failed'

export type Camera = { stream: MediaStream; deviceId: string; hasLight: boolean }

type LightCapabilities = MediaTrackCapabilities & { torch?: boolean; focusMode?: string[] }

export class CameraError extends Error {
  readonly trouble: CameraTrouble

  constructor(trouble: CameraTrouble, cause?: unknown) {
    super(trouble, { cause })
    this.trouble = trouble
  }
}

const size = { width: { ideal: 1280 }, height: { ideal: 720 } }

export async function openCamera(preferred: string | undefined): Promise<Camera> {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraError('insecure')
  const wishes: MediaTrackConstraints[] = [{ ...size, facingMode: { ideal: 'environment' } }, {}]
  if (preferred) wishes.unshift({ ...size, deviceId: { exact: preferred } })
  let last: unknown
  for (const video of wishes) {
    try {
      return await describe(await navigator.mediaDevices.getUserMedia({ video, audio: false }))
    } catch (error) {
      last = error
      if (error instanceof DOMException && error.name === 'NotAllowedError') break
    }
  }
  throw new CameraError(troubleOf(last), last)
}

function troubleOf(error: unknown): CameraTrouble {
  if (!(error instanceof DOMException)) return 'failed'
  if (error.name === 'NotAllowedError' || error.name === 'SecurityError') return 'denied'
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'missing'
  return error.name === 'NotReadableError' || error.name === 'AbortError' ? 'busy' : 'failed'
}

async function describe(stream: MediaStream): Promise<Camera> {
  const track = stream.getVideoTracks()[0]
  if (!track) throw new CameraError('failed')
  const can = (track.getCapabilities?.() ?? {}) as LightCapabilities
  if (can.focusMode?.includes('continuous')) {
    // Asked after the start: some phones ignore it before.
    await track
      .applyConstraints({ advanced: [{ focusMode: 'continuous' } as MediaTrackConstraintSet] })
      .catch(() => undefined)
  }
  return { stream, deviceId: track.getSettings().deviceId ?? '', hasLight: can.torch === true }
}

export async function setLight(camera: Camera, on: boolean): Promise<boolean> {
  const track = camera.stream.getVideoTracks()[0]
  try {
    await track?.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] })
    return on
  } catch {
    return false
  }
}

export function closeCamera(camera: Camera): void {
  for (const track of camera.stream.getTracks()) track.stop()
}

export async function listCameras(): Promise<{ id: string; label: string }[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? []
  return devices
    .filter(device => device.kind === 'videoinput')
    .map(device => ({ id: device.deviceId, label: device.label }))
}
