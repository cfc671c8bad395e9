// @vitest-environment happy-dom
// A lazy component appears, whenever its code comes.
import { render } from 'preact'
import { expect, it } from 'vitest'
import { lazy } from './lazy.tsx'

const Hello = () => <p>hello</p>
const settled = () => new Promise(resolve => setTimeout(resolve, 60))

it('appears when its code comes later', async () => {
  const Lazy = lazy(async () => Hello)
  const root = document.createElement('div')
  render(<Lazy />, root)
  expect(root.textContent).toBe('')
  await settled()
  expect(root.textContent).toBe('hello')
})

it('appears when its code comes between the first drawing and its effect', async () => {
  let arrive: (component: typeof Hello) => void = () => {}
  const Lazy = lazy(
    () =>
      new Promise<typeof Hello>(resolve => {
        arrive = resolve
      }),
  )
  const loading = Lazy.preload()
  const root = document.createElement('div')
  render(<Lazy />, root)
  arrive(Hello)
  await loading
  await settled()
  expect(root.textContent).toBe('hello')
})
