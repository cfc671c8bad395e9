// The checklist: how far it is, and what each step showed.
import { useEffect, useRef, useState } from 'preact/hooks'
import { proceed, runChecklist } from './checklist.ts'
import { run, STEPS, type StepResult } from './checklist-run.ts'
import { c } from './checklist-texts.ts'
import { Sign } from './ui.tsx'

const titles = Array.from({ length: STEPS }, (_, index) => c(`step_${index + 1}` as 'step_1'))
const tones = { todo: 'plain', running: 'busy', pass: 'good', fail: 'bad' } as const

export function Checklist() {
  const [pausing, setPausing] = useState(false)
  const { state, waiting, steps } = run.value
  const passed = steps.filter(step => step.state === 'pass').length
  const running = steps.findIndex(step => step.state === 'running')
  const goOn = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (waiting) goOn.current?.focus()
  }, [waiting])
  return (
    <div class="stack loose narrow">
      <div class="stack">
        <h1>{c('title')}</h1>
        <p class="lead">{c('lead')}</p>
        <p class="soft small">{c('session')}</p>
        <label class="check">
          <input
            type="checkbox"
            checked={pausing}
            disabled={state === 'running'}
            onChange={event => setPausing(event.currentTarget.checked)}
          />
          {c('pause')}
        </label>
        <div class="row">
          <button
            class="button"
            type="button"
            disabled={state === 'running'}
            onClick={() => void runChecklist(pausing)}
          >
            {state === 'done' ? c('run_again') : c('run')}
          </button>
          <p role="status" data-run={state} data-passed={passed}>
            {state === 'done' && (
              <span class="headline">
                <Sign tone={passed === STEPS ? 'good' : 'bad'} />
                <strong>{c('summary', { passed, all: STEPS })}</strong>
              </span>
            )}
            {state === 'running' && running >= 0 && c('running', { step: running + 1, all: STEPS })}
          </p>
        </div>
        {waiting && (
          <div class="notice warn stack" role="alert" data-waiting={waiting}>
            <p>{c(waiting)}</p>
            <div>
              <button ref={goOn} class="button" type="button" onClick={proceed}>
                {c('go_on')}
              </button>
            </div>
          </div>
        )}
      </div>
      <ol class="plain steps">
        {steps.map((step, index) => (
          <Step key={titles[index]} number={index + 1} step={step} />
        ))}
      </ol>
    </div>
  )
}

function Step({ number, step }: { number: number; step: StepResult }) {
  return (
    <li class={`step ${step.state}`} data-step={number} data-state={step.state}>
      <span class="step-number numeric" aria-hidden="true">
        {number}
      </span>
      <div class="step-text">
        <strong>{titles[number - 1]}</strong>
        {number === 3 && <p class="small soft">{c('note_3')}</p>}
        {number === 4 && <p class="small soft">{c('note_4')}</p>}
        {step.evidence.length > 0 && (
          <ul class="plain evidence small">
            {step.evidence.map(line => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
      </div>
      <span class={`tag state-tag ${step.state === 'pass' ? 'good' : step.state === 'fail' ? 'bad' : ''}`}>
        <Sign tone={tones[step.state]} /> {c(`state_${step.state}`)}
      </span>
    </li>
  )
}
