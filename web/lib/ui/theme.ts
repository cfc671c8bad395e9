// The manual switch between light and dark, for a gate that stands in the dark with a phone set to light.
import { signal } from '@preact/signals'

export type Theme = 'auto' | 'light' | 'dark'
const KEY = 'admit-theme'

const read = (): Theme => {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'auto'
}

export const theme = signal<Theme>('auto')

export function setTheme(next: Theme): void {
  theme.value = next
  localStorage.setItem(KEY, next)
  if (next === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
}

export const startTheme = (): void => setTheme(read())
