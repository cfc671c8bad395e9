// A question before something that hurts: a modal dialog whose safe answer has the focus.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

type ConfirmProps = {
  title: string
  yes: string
  no: string
  children?: ComponentChildren
  busy?: boolean
  onYes: () => void
  onNo: () => void
}

export function Confirm({ title, yes, no, children, busy, onYes, onNo }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      onCancel={event => {
        event.preventDefault()
        onNo()
      }}
    >
      <form
        class="stack"
        onSubmit={event => {
          event.preventDefault()
          onYes()
        }}
      >
        <h2 id="confirm-title">{title}</h2>
        {children}
        <div class="row">
          <button class="button quiet" type="button" onClick={onNo}>
            {no}
          </button>
          <button class="button danger" type="submit" disabled={busy ?? false}>
            {yes}
          </button>
        </div>
      </form>
    </dialog>
  )
}
