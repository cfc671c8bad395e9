// Copies a text, and says that it did.
import { useEffect, useRef, useState } from 'preact/hooks'

type CopyButtonProps = {
  text: () => string
  /** What is copied, for those who cannot see what stands beside the button. */
  label: string
  words: { copy: string; copied: string; failed: string }
}

const SHOWN_MS = 2_000

export function CopyButton({ text, label, words }: CopyButtonProps) {
  const [done, setDone] = useState<string | null>(null)
  const timer = useRef(0)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async () => {
    // Plain HTTP gives a page no clipboard.
    const end = await (navigator.clipboard?.writeText(text()) ?? Promise.reject()).then(
      () => words.copied,
      () => words.failed,
    )
    setDone(end)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => setDone(null), SHOWN_MS)
  }
  return (
    <button class="button quiet tight" type="button" aria-label={done ?? label} onClick={() => void copy()}>
      {done ?? words.copy}
    </button>
  )
}
