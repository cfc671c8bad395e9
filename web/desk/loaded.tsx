// Loads something for a page: waiting, failed with a way to try again, or there; `change` puts a newer value in place.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { t } from './texts.ts'

type LoadedProps<T> = {
  /** A change of it loads anew. */
  of: string
  load: () => Promise<T>
  children: (value: T, change: (value: T) => void, reload: () => void) => ComponentChildren
}

export function Loaded<T>({ of, load, children }: LoadedProps<T>) {
  const [state, setState] = useState<{ of: string; value?: T; error?: unknown }>({ of })
  const run = useRef(0)
  const start = () => {
    run.current += 1
    const mine = run.current
    load().then(
      value => mine === run.current && setState({ of, value }),
      error => mine === run.current && setState({ of, error }),
    )
  }
  useEffect(() => {
    setState({ of })
    start()
  }, [of])
  if (state.of === of && state.value !== undefined) {
    return <>{children(state.value, value => setState({ of, value }), start)}</>
  }
  if (state.of !== of || state.error === undefined) return <p class="waiting">{t('loading')}</p>
  if (state.error instanceof Problem && state.error.status === 404) return <Nowhere />
  return (
    <div class="notice bad stack" role="alert">
      <p>{state.error instanceof Problem ? state.error.message : t('no_answer')}</p>
      <div>
        <button
          class="button quiet"
          type="button"
          onClick={() => {
            setState({ of })
            start()
          }}
        >
          {t('try_again')}
        </button>
      </div>
    </div>
  )
}

export function Nowhere() {
  return (
    <div class="card stack">
      <h1>{t('not_found')}</h1>
      <p class="soft">{t('not_found_hint')}</p>
      <p>
        <a href="/desk/">{t('events')}</a>
      </p>
    </div>
  )
}
