// The code on the whole screen, black on white whatever the scheme, with the screen kept awake.
import { useEffect, useRef } from 'preact/hooks'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { keepAwake } from '../lib/ui/wake-lock.ts'
import { Countdown } from './code-panel.tsx'
import { t } from './texts.ts'
import type { Live } from './use-live-code.ts'

type BigCodeProps = { svg: string; live: Live | null; number: string; onClose: () => void }

export function BigCode({ svg, live, number, onClose }: BigCodeProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
    return keepAwake()
  }, [])
  return (
    <dialog ref={dialog} class="big" aria-label={t('qr_alt', { number })} onClose={onClose}>
      <p class="big-hint">{t('brightness')}</p>
      <CodeImage svg={svg} alt={t('qr_alt', { number })} />
      {live && <Countdown live={live} />}
      <p class="mono ticket-number">{number}</p>
      <button class="button" type="button" onClick={() => dialog.current?.close()}>
        {t('close')}
      </button>
    </dialog>
  )
}
