// The frame of the public pages: skip link, wordmark, content, footer.
import type { ComponentChildren } from 'preact'
import { SkipLink } from '../lib/ui/skip-link.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import { t } from './texts.ts'

export function Frame({ children }: { children: ComponentChildren }) {
  return (
    <>
      <SkipLink text={t('skip')} to="content" />
      <header class="top">
        <a class="wordmark" href="/">
          <Wordmark />
        </a>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <footer class="bottom small soft">
        <a href="/desk/">{t('organiser')}</a>
      </footer>
    </>
  )
}
