// A component that is loaded when it is first needed, or ahead of need by `preload`.
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'

type Lazy<Props> = ((props: Props) => preact.JSX.Element | null) & { preload: () => Promise<unknown> }

export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): Lazy<Props> {
  let loaded: ComponentType<Props> | null = null
  let loading: Promise<void> | null = null
  const preload = () => {
    loading ??= load().then(
      component => {
        loaded = component
      },
      () => {
        loading = null // no network: the next use tries again
      },
    )
    return loading
  }
  const Lazily = (props: Props) => {
    const [, repaint] = useState(0)
    useEffect(() => {
      if (!loaded) void preload().then(() => repaint(1))
    }, [])
    const Component = loaded
    return Component ? <Component {...props} /> : null
  }
  return Object.assign(Lazily, { preload })
}
