// The picture of the camera, its frame, its light and its troubles; reading goes on by itself.
import { useEffect, useRef, useState } from 'preact/hooks'
import { setLight } from '../lib/camera/camera.ts'
import { type ReaderTrouble, useReader } from '../lib/camera/use-reader.ts'
import { getFact } from '../lib/db/gate-db.ts'
import { presentCode } from './actions.ts'
import { cameraOn, restart, startAgain, wantedCamera } from './camera-choice.ts'
import { Icon } from './shapes.tsx'
import { shown, zone } from './state.ts'
import { t } from './texts.ts'
import { faceOf } from './verdict-face.ts'

const troubleText: Record<ReaderTrouble, () => string> = {
  denied: () => t('camera_denied'),
  missing: () => t('camera_missing'),
  busy: () => t('camera_busy'),
  insecure: () => t('camera_insecure'),
  failed: () => t('camera_failed'),
  lost: () => t('camera_lost'),
}

export function CameraView() {
  const video = useRef<HTMLVideoElement>(null)
  const [lit, setLit] = useState(false)
  const round = restart.value
  const { camera, trouble } = useReader(video, round, {
    preferred: async () => {
      wantedCamera.value ??= await getFact('camera').catch(() => undefined)
      return wantedCamera.value
    },
    read: presentCode,
    running: on => {
      cameraOn.value = on
    },
  })
  // Another camera begins with its light off.
  useEffect(() => setLit(false), [round])

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
