// A gate asks for proof: its question is read by this phone's camera, or typed, and answered once by the key that is kept here.
// Nothing of it needs a network.
import { useEffect, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { type Ask, askText, GOOD_FOR_MS, readAsk } from '../lib/rotation/ask.ts'
import { CodeImage } from '../lib/ui/code-image.tsx'
import { Modal } from '../lib/ui/modal.tsx'
import { keepAwake } from '../lib/ui/wake-lock.ts'
import { AskCamera } from './ask-camera.tsx'
import { p } from './proof-texts.ts'
import { TypedAsk } from './typed-ask.tsx'

const LOOK_MS = 250
const MARGIN = 4

/** Each question is answered once, whatever the camera goes on seeing. */
const answered = new Set<string>()

type Answer = { svg: string; gate: number; until: number }
type Said = 'other' | 'once' | 'elsewhere'

type AskedProps = {
  /** The code that answers, made with the key on this phone; throws when it is not here. */
  answerTo: (ask: Ask) => Promise<string>
  onClose: () => void
}

export function Asked({ answerTo, onClose }: AskedProps) {
  const [answer, setAnswer] = useState<Answer | null>(null)
  const [said, setSaid] = useState<Said | null>(null)
  useEffect(keepAwake, [])

  const take = async (ask: Ask) => {
    const text = askText(ask)
    if (answered.has(text)) return setSaid('once')
    answered.add(text)
    try {
      const svg = renderSVG(await answerTo(ask), { ecc: 'M', border: MARGIN })
      setSaid(null)
      setAnswer({ svg, gate: ask.gate, until: Date.now() + GOOD_FOR_MS })
    } catch {
      setSaid('elsewhere')
    }
  }
  const read = (code: string) => {
    const ask = readAsk(code)
    if (ask) void take(ask)
    else setSaid('other')
  }

  return (
    <Modal title={p('title')} onClose={onClose}>
      {close => (
        <>
          {answer ? (
            <AnswerShown key={answer.until} answer={answer} again={() => setAnswer(null)} />
          ) : (
            <>
              <p>{p('hint')}</p>
              <AskCamera read={read} />
              <div aria-live="polite">{said && <p class="notice warn">{p(said)}</p>}</div>
              <TypedAsk answer={ask => void take(ask)} />
            </>
          )}
          <button class="button quiet" type="button" onClick={close}>
            {p('close')}
          </button>
        </>
      )}
    </Modal>
  )
}

function AnswerShown({ answer, again }: { answer: Answer; again: () => void }) {
  const [left, setLeft] = useState(answer.until - Date.now())
  useEffect(() => {
    const timer = setInterval(() => setLeft(answer.until - Date.now()), LOOK_MS)
    return () => clearInterval(timer)
  }, [])
  const over = left <= 0
  return (
    <>
      <p role="status">
        <strong>{over ? p('over_title') : p('show')}</strong>
        {over && (
          <>
            <br />
            {p('over')}
          </>
        )}
      </p>
      {over ? (
        <button class="button" type="button" data-answer="over" onClick={again}>
          {p('again')}
        </button>
      ) : (
        <div class="offer-code answer-code" data-answer="shown">
          <CodeImage svg={answer.svg} alt={p('qr', { gate: answer.gate })} />
        </div>
      )}
      {!over && <p class="numeric countdown">{p('left', { seconds: Math.ceil(left / 1000) })}</p>}
    </>
  )
}
