// Small parts that every panel uses.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { CopyButton as PlainCopyButton } from '../lib/ui/copy-button.tsx'
import { t } from './texts.ts'

/** The sign that goes with a word, so that colour is never alone. */
export function Sign({ tone }: { tone: 'good' | 'bad' | 'plain' | 'busy' }) {
  const paths = {
    good: 'M3 8.5l3.2 3.2L13 4.8',
    bad: 'M4 4l8 8M12 4l-8 8',
    plain: 'M4 8h8',
    busy: 'M8 4v4l3 2',
  }
  return (
    <svg class={`sign ${tone}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[tone]} />
    </svg>
  )
}

export function CopyButton({
  text,
  label,
  shown = t('copy'),
}: {
  text: () => string
  label: string
  shown?: string
}) {
  const words = { copy: shown, copied: t('copied'), failed: t('copy_failed') }
  return <PlainCopyButton text={text} label={label} words={words} />
}

/** A button that shows that its work is under way and cannot be pressed twice. */
export function Doing({
  run,
  children,
  quiet = true,
  disabled = false,
}: {
  run: () => Promise<unknown>
  children: ComponentChildren
  quiet?: boolean
  disabled?: boolean
}) {
  const [busy, setBusy] = useState(false)
  const go = async () => {
    setBusy(true)
    try {
      await run()
    } finally {
      setBusy(false)
    }
  }
  return (
    <button
      class={`button ${quiet ? 'quiet' : ''}`}
      type="button"
      disabled={disabled || busy}
      onClick={() => void go()}
    >
      {children}
    </button>
  )
}

/** A select with its label; `options` are value and text. */
export function Choice({
  name,
  label,
  value,
  options,
  onChange,
}: {
  name: string
  label: string
  value: string
  options: [string, string][]
  onChange: (value: string) => void
}) {
  const id = `field-${name}`
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name} value={value} onChange={event => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  )
}
