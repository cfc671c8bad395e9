// Hand scanners and paste, anywhere on the page, wherever the focus is.
import { presentCode } from './actions.ts'
import { WedgeReader } from './wedge-reader.ts'

const isTextInput = (target: EventTarget | null) =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement

export function listenToReaders(): () => void {
  const reader = new WedgeReader()
  const keydown = (event: KeyboardEvent) => {
    // In a field the reader types into the field, and its Enter submits the form.
    if (isTextInput(event.target) || event.ctrlKey || event.metaKey) return
    const step = reader.key(event.key, event.timeStamp)
    if (step.kind === 'other') return
    // Else the reader's space or Enter would press whichever button has the focus.
    event.preventDefault()
    event.stopPropagation()
    if (step.kind === 'code') presentCode(step.code.trim())
  }
  const paste = (event: ClipboardEvent) => {
    if (isTextInput(event.target)) return
    presentCode(event.clipboardData?.getData('text/plain').trim() ?? '')
  }
  document.addEventListener('keydown', keydown, { capture: true })
  document.addEventListener('paste', paste)
  return () => {
    document.removeEventListener('keydown', keydown, { capture: true })
    document.removeEventListener('paste', paste)
  }
}
