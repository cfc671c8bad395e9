// How far the checklist is.
import { signal } from '@preact/signals'

export type StepState = 'todo' | 'running' | 'pass' | 'fail'
export type StepResult = { state: StepState; evidence: string[] }
export type Run = {
  state: 'idle' | 'running' | 'done'
  /** What the run waits for somebody to do. */
  waiting: 'go_offline' | 'go_online' | null
  steps: StepResult[]
}

export const STEPS = 14

export const todo = (): StepResult[] => Array.from({ length: STEPS }, () => ({ state: 'todo', evidence: [] }))
/** In the page's memory only, so that the last step may clear the session. */
export const run = signal<Run>({ state: 'idle', waiting: null, steps: todo() })
