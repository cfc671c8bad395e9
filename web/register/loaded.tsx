// Loads something and shows it: waiting, failed with a way to try again, or there.
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Problem } from '../lib/api/http.ts'
import { t } from './texts.ts'

type State<T> = { value?: T; error?: unknown }

type LoadedProps<T> = {
  load: () => Promise<T>
  missing?: () => ComponentChildren
  children: (value: T) => ComponentChildren
}

export function Loaded<T>({ load, missing, children }: LoadedProps<T>) {
  const [state, setState] = useState<State<T>>({})
  const run = () => {
    setState({})
    load().then(
      value => setState({ value }),
      error => setState({ error }),
    )
  }
  useEffect(run, [])
  if (state.value !== undefined) return <>{children(state.value)}</>
  if (state.error === undefined) return <p class="waiting">{t('loading')}</p>
  if (missing && state.error instanceof Problem && state.error.status === 404) return <>{missing()}</>
  return (
    <div class="notice bad stack" role="alert">
      <p>{state.error instanceof Problem ? state.error.message : t('no_answer')}</p>
      <div>
        <button class="button quiet" type="button" onClick={run}>
          {t('try_again')}
        </button>
      </div>
    </div>
  )
}
