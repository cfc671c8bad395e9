// The audit log of an event: its state and key, and a check of any receipt in this browser.
import { useRef, useState } from 'preact/hooks'
import { getCheckpoint, getLogKey } from '../lib/api/log.ts'
import type { DeskEvent, LogKey } from '../lib/api/types.ts'
import { checkInHand, NoChecker, ProofRefused, readProof } from '../lib/core/proof.ts'
import { firstKey, trustKey } from '../lib/db/log-keys.ts'
import { momentIn } from '../lib/time/zone.ts'
import { CopyButton } from '../lib/ui/copy-button.tsx'
import { Field } from '../lib/ui/field.tsx'
import { saveFile } from '../lib/ui/save-file.ts'
import { Loaded } from './loaded.tsx'
import { l } from './log-texts.ts'

const count = (value: number) => value.toLocaleString('en-GB')

export function LogPage({ event }: { event: DeskEvent }) {
  return (
    <Loaded of={event.slug} load={() => getLogKey(event.slug)}>
      {(log, _change, reload) => (
        <div class="stack loose narrow">
          <State event={event} log={log} reload={reload} />
          <Check event={event} vkey={firstKey(event.slug, log.vkey).vkey} />
        </div>
      )}
    </Loaded>
  )
}

function State({ event, log, reload }: { event: DeskEvent; log: LogKey; reload: () => void }) {
  const [failed, setFailed] = useState(false)
  const { changed } = firstKey(event.slug, log.vkey)
  const download = async () => {
    setFailed(false)
    try {
      const text = await getCheckpoint(event.slug)
      saveFile(new Blob([text], { type: 'text/plain' }), `${event.slug}.checkpoint`)
    } catch {
      setFailed(true)
    }
  }
  return (
    <section class="card stack" aria-labelledby="log-title">
      <h2 id="log-title">{l('title')}</h2>
      <p class="soft">{l('what')}</p>
      {changed && (
        <div class="notice bad stack" role="alert">
          <strong>{l('changed')}</strong>
          <p>{l('changed_hint')}</p>
          <div>
            <button
              class="button quiet"
              type="button"
              onClick={() => {
                trustKey(event.slug, log.vkey)
                reload()
              }}
            >
              {l('trust')}
            </button>
          </div>
        </div>
      )}
      <dl class="pairs">
        <dt>{l('entries')}</dt>
        <dd class="numeric" data-log-size={log.tree_size}>
          {count(log.tree_size)}
        </dd>
        <dt>{l('root')}</dt>
        <dd class="mono" title={log.root}>
          {log.root.slice(0, 16)}…
        </dd>
        <dt>{l('origin')}</dt>
        <dd class="mono">{log.origin}</dd>
        <dt>{l('key')}</dt>
        <dd class="stack tight-row">
          <code class="mono">{log.vkey}</code>
          <span class="row">
            <CopyButton
              text={() => log.vkey}
              label={l('copy_key')}
              words={{ copy: l('copy'), copied: l('copied'), failed: l('copy_failed') }}
            />
            <span class="soft small line-text">{l('key_hint')}</span>
          </span>
        </dd>
      </dl>
      <div class="row">
        <button class="button quiet" type="button" onClick={reload}>
          {l('refresh')}
        </button>
        <button class="button quiet" type="button" onClick={() => void download()}>
          {l('checkpoint')}
        </button>
        <a href="/docs/">{l('docs')}</a>
      </div>
      <div aria-live="polite">{failed && <p class="notice bad">{l('download_failed')}</p>}</div>
    </section>
  )
}

/** Larger than any receipt: what is dropped by mistake is not read to its end. */
const FILE_BYTES_MAX = 200_000

type Outcome = { holds: boolean; text: string }

function Check({ event, vkey }: { event: DeskEvent; vkey: string }) {
  const [text, setText] = useState('')
  const [over, setOver] = useState(false)
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const file = useRef<HTMLInputElement>(null)

  const check = async (given: string) => {
    const proof = readProof(given)
    if (!proof) return setOutcome({ holds: false, text: l('not_read') })
    try {
      const { index, size, kind, at_ms, ticket } = await checkInHand(proof, vkey)
      const at = momentIn(event.time_zone, new Date(at_ms).toISOString())
      const told = l('holds', { number: count(index + 1), size: count(size), kind, at })
      const about = ticket ? l('holds_ticket', { ticket }) : l('holds_closed')
      setOutcome({ holds: true, text: `${told} ${about}` })
    } catch (error) {
      if (error instanceof ProofRefused)
        setOutcome({ holds: false, text: l('fails', { why: error.message }) })
      else if (error instanceof NoChecker) setOutcome({ holds: false, text: l('no_checker') })
      else throw error
    }
  }
  const take = async (files: FileList | null | undefined) => {
    const first = files?.[0]
    if (!first) return
    const read = await first.slice(0, FILE_BYTES_MAX).text()
    setText(read)
    await check(read)
  }

  return (
    <section class="card stack" aria-labelledby="check-title">
      <h2 id="check-title">{l('check_title')}</h2>
      <p class="soft">{l('check_what')}</p>
      <form
        class="stack"
        onSubmit={submit => {
          submit.preventDefault()
          void check(text)
        }}
      >
        <Field name="receipt" label={l('receipt')} hint={l('receipt_hint')}>
          {control => (
            <textarea
              {...control}
              class="mono drop"
              data-over={over}
              rows={6}
              spellcheck={false}
              value={text}
              onInput={input => setText(input.currentTarget.value)}
              onDragOver={drag => {
                drag.preventDefault()
                setOver(true)
              }}
              onDragLeave={() => setOver(false)}
              onDrop={drop => {
                drop.preventDefault()
                setOver(false)
                void take(drop.dataTransfer?.files)
              }}
            />
          )}
        </Field>
        <div class="row">
          <button class="button" type="submit" disabled={text.trim() === ''}>
            {l('check')}
          </button>
          <button class="button quiet" type="button" onClick={() => file.current?.click()}>
            {l('file')}
          </button>
          <input
            ref={file}
            type="file"
            hidden
            aria-label={l('file')}
            onChange={pick => void take(pick.currentTarget.files)}
          />
        </div>
      </form>
      <div role="status">
        {outcome && (
          <p class={`notice ${outcome.holds ? 'good' : 'bad'}`} data-receipt={outcome.holds}>
            {outcome.text}
          </p>
        )}
      </div>
    </section>
  )
}
