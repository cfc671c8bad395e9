// The picture of the camera, its frame, its light and its troubles; reading goes on by itself.
import { useEffect, useRef, useState } from 'preact/hooks'
import { getFact } from '../lib/db/gate-db.ts'
import { presentCode } from './actions.ts'
import { type Camera, CameraError, type CameraTrouble, closeCamera, openCamera, setLight } from './camera.ts'
import { cameraOn, restart, startAgain, wantedCamera } from './camera-choice.ts'
import { startDecoder } from './decoder.ts'
import { Icon } from './shapes.tsx'
import { shown, zone } from './state.ts'
import { t } from './texts.ts'
import { faceOf } from './verdict-face.ts'

const troubleText: Record<CameraTrouble | 'lost', () => string> = {
  denied: () => t('camera_denied'),
  missing: () => t('camera_missing'),
  busy: () => t('camera_busy'),
  insecure: () => t('camera_insecure'),
  failed: () => t('camera_failed'),
  lost: () => t('camera_lost'),
}

export function CameraView() {
  const video = useRef<HTMLVideoElement>(null)
  const [camera, setCamera] = useState<Camera | null>(null)
  const [trouble, setTrouble] = useState<CameraTrouble | 'lost' | null>(null)
  const [lit, setLit] = useState(false)

  useEffect(() => {
    let gone = false
    let opened: Camera | null = null
    let stopDecoder: (() => void) | null = null
    const start = async () => {
      setTrouble(null)
      wantedCamera.value ??= await getFact('camera').catch(() => undefined)
      opened = await openCamera(wantedCamera.value)
      if (gone || !video.current) return closeCamera(opened)
      opened.stream.getVideoTracks()[0]?.addEventListener('ended', () => {
        cameraOn.value = false
        setCamera(null)
        setTrouble('lost')
      })
      video.current.srcObject = opened.stream
      await video.current.play().catch(() => undefined)
      stopDecoder = startDecoder(video.current, {
        read: (code, seenAt) => presentCode(code.trim(), seenAt),
        broken: () => setTrouble('failed'),
      })
      cameraOn.value = true
      setCamera(opened)
    }
    start().catch(error => setTrouble(error instanceof CameraError ? error.trouble : 'failed'))
    return () => {
      gone = true
      cameraOn.value = false
      stopDecoder?.()
      if (opened) closeCamera(opened)
      setCamera(null)
      setLit(false)
    }
  }, [restart.value])

  const tone = shown.value ? faceOf(shown.value, zone.value).tone : 'ready'
  return (
    <section class={`camera ${tone}`} aria-label={t('camera')}>
      <video ref={video} playsInline muted hidden={!camera} />
      {camera ? (
        <>
          <span class="aim" />
          {camera.hasLight && (
            <button
              class="icon-button on-camera"
              type="button"
              aria-pressed={lit}
              aria-label={lit ? t('light_off') : t('light_on')}
              onClick={() => void setLight(camera, !lit).then(setLit)}
            >
              <Icon name="light" />
            </button>
          )}
        </>
      ) : trouble ? (
        <div class="camera-trouble" role="status">
          <p>{troubleText[trouble]()}</p>
          <button class="button" type="button" onClick={startAgain}>
            <Icon name="camera" />
            {t('camera_try')}
          </button>
        </div>
      ) : (
        <p class="camera-trouble">{t('camera_starting')}</p>
      )}
    </section>
  )
}
