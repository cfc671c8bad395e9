// Puts an app into its page.
import { type ComponentChild, render } from 'preact'

export function mount(app: ComponentChild): void {
  const root = document.getElementById('app')
  if (!root) throw new Error('the page has no #app')
  root.replaceChildren()
  render(app, root)
}
