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
    const Component = loaded
    useEffect(() => {
      // It may have come between this drawing and its effect: what counts is what was drawn.
      if (!Component) void preload().then(() => repaint(1))
    }, [])
    return Component ? <Component {...props} /> : null
  }
  return Object.assign(Lazily, { preload })
}
