// A dialog around a form or a picture; Escape and the browser's back gesture close it.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

type ModalProps = { title: string; onClose: () => void; children: (close: () => void) => ComponentChildren }

export function Modal({ title, onClose, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby="modal-title" onClose={onClose}>
      <div class="stack">
        <h2 id="modal-title" dir="auto">
          {title}
        </h2>
        {children(() => dialog.current?.close())}
      </div>
    </dialog>
  )
}
