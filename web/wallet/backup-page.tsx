// The backup of tickets without a name: saved with a passphrase, and opened beside what is here.
import { useEffect, useRef, useState } from 'preact/hooks'
import { BackupError, type Contents, lock, PASSPHRASE_MIN, unlock } from '../lib/anonymous/backup.ts'
import { listPurchases, listTokens, mergeKept } from '../lib/db/anonymous-db.ts'
import { Field } from '../lib/ui/field.tsx'
import { focusFirstError } from '../lib/ui/form-errors.ts'
import { saveFile } from '../lib/ui/save-file.ts'
import { n, np } from './token-texts.ts'

/** "2 tickets, 1 open purchase": what there is none of is not said. */
const holdings = (count: { purchases: number; tokens: number }): string =>
  [count.tokens > 0 && np('tickets', count.tokens), count.purchases > 0 && np('purchases', count.purchases)]
    .filter(Boolean)
    .join(', ')

async function readHere(): Promise<Contents> {
  const [purchases, tokens] = await Promise.all([listPurchases(), listTokens()])
  return { purchases, tokens: tokens.filter(({ exchanged }) => !exchanged) }
}

export function BackupPage() {
  const [here, setHere] = useState<Contents | null>(null)
  const load = () => void readHere().then(setHere, () => setHere({ purchases: [], tokens: [] }))
  useEffect(() => {
    document.title = n('backup_title')
    load()
  }, [])
  const nothing = here && here.purchases.length + here.tokens.length === 0
  return (
    <div class="stack loose buy">
      <div class="stack tight">
        <h1>{n('backup_title')}</h1>
        <p>{n('backup_text')}</p>
        <p class="small soft">{n('backup_excluded')}</p>
      </div>
      {nothing ? <p class="notice">{n('backup_nothing')}</p> : here && <Save here={here} />}
      <Restore onDone={load} />
      <p>
        <a href="/ticket/">{n('your_tickets')}</a>
      </p>
    </div>
  )
}

function Save({ here }: { here: Contents }) {
  const form = useRef<HTMLFormElement>(null)
  const [first, setFirst] = useState('')
  const [again, setAgain] = useState('')
  const [tried, setTried] = useState(false)
  const [state, setState] = useState<'open' | 'locking' | 'saved'>('open')
  const short = first.length < PASSPHRASE_MIN
  const differs = first !== again
  const save = async () => {
    setTried(true)
    if (short || differs) return focusFirstError(form.current)
    setState('locking')
    const text = await lock(await readHere(), first)
    saveFile(
      new Blob([text], { type: 'application/json' }),
      `tickets-${new Date().toISOString().slice(0, 10)}.backup.json`,
    )
    setState('saved')
    setTried(false)
    setFirst('')
    setAgain('')
  }
  return (
    <form
      ref={form}
      class="card stack"
      noValidate
      data-backup={state}
      onSubmit={event => {
        event.preventDefault()
        void save()
      }}
    >
      <p>
        <strong>{holdings({ purchases: here.purchases.length, tokens: here.tokens.length })}</strong>
      </p>
      <Passphrase
        name="passphrase"
        label={n('passphrase')}
        hint={n('passphrase_hint')}
        error={tried && short ? n('passphrase_short') : undefined}
        value={first}
        change={setFirst}
        fresh
      />
      <Passphrase
        name="passphrase_again"
        label={n('passphrase_again')}
        error={tried && !short && differs ? n('passphrase_differs') : undefined}
        value={again}
        change={setAgain}
        fresh
      />
      <div>
        <button class="button" type="submit" disabled={state === 'locking'}>
          {state === 'locking' ? n('locking') : n('save')}
        </button>
      </div>
      <div aria-live="polite">{state === 'saved' && <p class="notice good">{n('saved')}</p>}</div>
    </form>
  )
}

function Restore({ onDone }: { onDone: () => void }) {
  const form = useRef<HTMLFormElement>(null)
  const input = useRef<HTMLInputElement>(null)
  const [passphrase, setPassphrase] = useState('')
  const [noFile, setNoFile] = useState(false)
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState<{ tone: 'good' | 'bad'; text: string } | null>(null)
  const restore = async () => {
    const file = input.current?.files?.[0]
    setNoFile(!file)
    setSaid(null)
    if (!file) return focusFirstError(form.current)
    setBusy(true)
    try {
      const { purchases, tokens } = await unlock(await file.text(), passphrase)
      const added = await mergeKept(purchases, tokens)
      const some = added.purchases + added.tokens > 0
      setSaid({ tone: 'good', text: some ? n('restored', { what: holdings(added) }) : n('restored_nothing') })
      setPassphrase('')
      onDone()
    } catch (error) {
      if (!(error instanceof BackupError)) throw error
      setSaid({ tone: 'bad', text: n(error.trouble) })
    } finally {
      setBusy(false)
    }
  }
  return (
    <form
      ref={form}
      class="card stack"
      noValidate
      data-restore={said?.tone}
      onSubmit={event => {
        event.preventDefault()
        void restore()
      }}
    >
      <h2>{n('restore_title')}</h2>
      <Field name="backup" label={n('file')} error={noFile ? n('file_missing') : undefined}>
        {control => <input {...control} ref={input} type="file" accept=".json,application/json" />}
      </Field>
      <Passphrase name="unlock" label={n('passphrase')} value={passphrase} change={setPassphrase} />
      <p class="small soft">{n('twice')}</p>
      <div>
        <button class="button quiet" type="submit" disabled={busy}>
          {busy ? n('opening') : n('restore')}
        </button>
      </div>
      <div aria-live="polite">{said && <p class={`notice ${said.tone}`}>{said.text}</p>}</div>
    </form>
  )
}

type PassphraseProps = {
  name: string
  label: string
  hint?: string
  error?: string | undefined
  value: string
  change: (value: string) => void
  fresh?: boolean
}

function Passphrase({ name, label, hint, error, value, change, fresh }: PassphraseProps) {
  return (
    <Field name={name} label={label} hint={hint} error={error}>
      {control => (
        <input
          {...control}
          type="password"
          autocomplete={fresh ? 'new-password' : 'current-password'}
          maxLength={200}
          value={value}
          onInput={event => change(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}
