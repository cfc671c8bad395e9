// Gate to gate: own entries as a round of codes or a file, lists of others, and the live link.
import { useEffect, useRef, useState } from 'preact/hooks'
import { renderSVG } from 'uqr'
import { CodeImage } from '../lib/ui/code-image.tsx'
import './diagnostics.css'
import { learn, openLists, ownCodes, ownMessages, received, saveLists } from './exchange.ts'
import { plural, t } from './exchange-texts.ts'
import { endLink, link, offerLink, takeLink } from './peer-link.ts'
import { linkText } from './state.ts'

const NEXT_CODE_MS = 900
const deps = { lists: ownMessages, learn }

export function ExchangeScreen({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  return (
    <dialog ref={dialog} class="exchange" aria-labelledby="exchange-title" onClose={onClose}>
      <div class="stack loose">
        <div class="row apart">
          <h2 id="exchange-title">{t('title')}</h2>
          <button class="button quiet tight" type="button" onClick={() => dialog.current?.close()}>
            {t('close')}
          </button>
        </div>
        <p class="small soft">{t('how')}</p>
        <Codes />
        <Files />
        <Link />
      </div>
    </dialog>
  )
}

function Codes() {
  const [codes, setCodes] = useState<string[] | null>(null)
  const [trouble, setTrouble] = useState(false)
  const got = received.value
  return (
    <section class="part">
      <h3>{t('show')}</h3>
      {codes && codes.length > 0 && <Round codes={codes} />}
      {codes?.length === 0 && <p class="soft">{t('nothing')}</p>}
      {trouble && <p class="notice warn">{t('not_here')}</p>}
      <p class="small soft">{codes ? t('show_hint') : t('read_hint')}</p>
      {got && (
        <p class="notice good numeric" role="status" data-received={got.entries}>
          {t('last', { entries: got.entries, from: got.from, done: got.codes.size, of: got.of })}
        </p>
      )}
      <div>
        <button
          class="button"
          type="button"
          onClick={() => void ownCodes().then(setCodes, () => setTrouble(true))}
        >
          {t('show')}
        </button>
      </div>
    </section>
  )
}

/** One code after the other, round and round, until the other has read them all. */
function Round({ codes }: { codes: string[] }) {
  const [at, setAt] = useState(0)
  useEffect(() => {
    if (codes.length < 2) return
    const timer = setInterval(() => setAt(before => (before + 1) % codes.length), NEXT_CODE_MS)
    return () => clearInterval(timer)
  }, [codes])
  const code = codes[at % codes.length] ?? ''
  const words = t('code_of', { number: (at % codes.length) + 1, of: codes.length })
  return (
    <div class="exchange-code" data-exchange={code}>
      <CodeImage svg={renderSVG(code, { ecc: 'L', border: 3 })} alt={words} />
      <span class="small numeric">{words}</span>
    </div>
  )
}

function Files() {
  const [done, setDone] = useState<string | null>(null)
  const open = async (file: Blob | undefined) => {
    if (file) setDone(plural('file_done', await openLists(file)))
  }
  return (
    <section class="part">
      <h3>{t('file')}</h3>
      {done && (
        <p class="notice good" role="status">
          {done}
        </p>
      )}
      <div class="row">
        <button
          class="button quiet"
          type="button"
          onClick={() => void saveLists().catch(() => setDone(t('not_here')))}
        >
          {t('file_save')}
        </button>
        <label class="button quiet file-button">
          {t('file_open')}
          <input
            class="hidden-text"
            type="file"
            accept="application/json,.json"
            onChange={change =>
              void open(change.currentTarget.files?.[0]).catch(() => setDone(t('not_trusted')))
            }
          />
        </label>
      </div>
    </section>
  )
}

function Link() {
  const state = link.value
  const heard = linkText.value
  useEffect(() => {
    if (!heard) return
    linkText.value = null
    void takeLink(heard, deps).catch(() => undefined)
  }, [heard])
  return (
    <section class="part" data-link={state.kind}>
      <h3>{t('link')}</h3>
      <p class="small soft">{t('link_hint')}</p>
      {state.kind === 'making' && <p class="waiting">{t('link_making')}</p>}
      {(state.kind === 'offer' || state.kind === 'answer') && (
        <>
          <p>{t(state.kind === 'offer' ? 'link_offer' : 'link_answer')}</p>
          <Round codes={state.codes} />
        </>
      )}
      {state.kind === 'open' && (
        <p class="notice good numeric" role="status">
          {t('link_open', { sent: state.sent, got: state.got })}
        </p>
      )}
      {state.kind === 'lost' && <p class="notice warn">{t('link_lost')}</p>}
      <div>
        {state.kind === 'open' ? (
          <button class="button quiet" type="button" onClick={endLink}>
            {t('link_end')}
          </button>
        ) : (
          <button class="button quiet" type="button" onClick={() => void offerLink(deps)}>
            {t('link_start')}
          </button>
        )}
      </div>
    </section>
  )
}
