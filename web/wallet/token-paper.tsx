// A ticket on paper: one page that this browser prints. The server is not asked, so that it learns nothing of the number.
import { useMemo } from 'preact/hooks'
import { renderSVG } from 'uqr'
import type { Token } from '../lib/anonymous/purchase.ts'
import { dayText } from '../lib/time/calendar-day.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { codeOf } from './exchange.ts'
import { validityText } from './token-page.tsx'
import { n } from './token-texts.ts'

/** Paper has no white frame of its own. */
const MARGIN = 4

export function TokenPaper({ token, onClose }: { token: Token; onClose: () => void }) {
  const { number, terms } = token
  const svg = useMemo(() => renderSVG(codeOf(token), { ecc: 'M', border: MARGIN }), [number])
  return (
    <>
      <Modal title={n('paper_title')} onClose={onClose}>
        {close => (
          <>
            <p>{n('paper_text')}</p>
            <div class="row">
              <button class="button" type="button" onClick={() => print()}>
                {n('paper_yes')}
              </button>
              <button class="button quiet" type="button" onClick={close}>
                {n('paper_close')}
              </button>
            </div>
          </>
        )}
      </Modal>
      <section class="sheet" aria-hidden="true">
        <p class="sheet-title" dir="auto">
          {terms.eventName}
        </p>
        <p dir="auto">
          {terms.typeName} · {terms.day ? dayText(terms.day) : n('whole_event')}
        </p>
        <CodeImage svg={svg} alt={n('qr_alt', { number })} />
        <p class="mono sheet-number">{number}</p>
        <p>{validityText(terms)}</p>
        <p class="small">{n('paper_good_for')}</p>
      </section>
    </>
  )
}
