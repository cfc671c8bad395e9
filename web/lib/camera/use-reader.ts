// A camera in a <video> that reads codes, from when it is drawn until it is gone.
import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type Camera, CameraError, type CameraTrouble, closeCamera, openCamera } from './camera.ts'
import { startDecoder } from './decoder.ts'

export type ReaderTrouble = CameraTrouble | 'lost'

type ReaderOptions = {
  /** Which camera, when this device has a wish. */
  preferred?: () => Promise<string | undefined>
  /** `seenAt`: when the frame was taken. */
  read: (code: string, seenAt: number) => void
  running?: (on: boolean) => void
}

/** `round`: another one opens the camera anew. */
export function useReader(
  video: RefObject<HTMLVideoElement | null>,
  round: number,
  { preferred, read, running }: ReaderOptions,
): { camera: Camera | null; trouble: ReaderTrouble | null } {
  const [camera, setCamera] = useState<Camera | null>(null)
  const [trouble, setTrouble] = useState<ReaderTrouble | null>(null)
  useEffect(() => {
    let gone = false
    let opened: Camera | null = null
    let stopDecoder: (() => void) | null = null
    const start = async () => {
      setTrouble(null)
      opened = await openCamera(await preferred?.())
      if (gone || !video.current) return closeCamera(opened)
      opened.stream.getVideoTracks()[0]?.addEventListener('ended', () => {
        running?.(false)
        setCamera(null)
        setTrouble('lost')
      })
      video.current.srcObject = opened.stream
      await video.current.play().catch(() => undefined)
      if (gone) return
      stopDecoder = startDecoder(video.current, {
        read: (code, seenAt) => read(code.trim(), seenAt),
        broken: () => setTrouble('failed'),
      })
      running?.(true)
      setCamera(opened)
    }
    start().catch(error => setTrouble(error instanceof CameraError ? error.trouble : 'failed'))
    return () => {
      gone = true
      running?.(false)
      stopDecoder?.()
      if (opened) closeCamera(opened)
      setCamera(null)
    }
  }, [round])
  return { camera, trouble }
}
