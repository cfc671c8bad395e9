// The organiser's own questions: text or a choice, each with a key that stays the same when its wording changes.
import type { Question } from '../lib/api/types.ts'
import { Field } from '../lib/ui/field.tsx'
import { slugFrom } from './slug.ts'
import { t } from './texts.ts'

/** A question being written; it gets its key when the form is sent. */
export type QuestionDraft = Omit<Question, 'key'> & { key?: string }

export function questionsOf(drafts: QuestionDraft[]): Question[] {
  const taken = new Set(drafts.flatMap(draft => draft.key ?? []))
  return drafts
    .filter(draft => draft.label.trim() !== '')
    .map(draft => ({ ...draft, key: draft.key ?? freshKey(draft.label, taken), label: draft.label.trim() }))
}

function freshKey(label: string, taken: Set<string>): string {
  const base = slugFrom(label).replaceAll('-', '_').slice(0, 30) || 'question'
  let key = base
  for (let number = 2; taken.has(key); number++) key = `${base}_${number}`
  taken.add(key)
  return key
}

type QuestionEditorProps = {
  questions: QuestionDraft[]
  onChange: (questions: QuestionDraft[]) => void
  error?: string | undefined
}

export function QuestionEditor({ questions, onChange, error }: QuestionEditorProps) {
  const change = (index: number, part: Partial<QuestionDraft>) =>
    onChange(questions.map((question, at) => (at === index ? { ...question, ...part } : question)))
  return (
    <div class="stack">
      <h3>{t('questions')}</h3>
      {error && <p class="notice bad">{error}</p>}
      {questions.length === 0 && <p class="soft small">{t('questions_none')}</p>}
      {questions.map((question, index) => (
        <fieldset key={question.key ?? index} class="stack question">
          <legend>{t('question', { number: index + 1 })}</legend>
          <Field name={`question-${index}`} label={t('question_label')}>
            {control => (
              <input
                {...control}
                type="text"
                dir="auto"
                maxLength={200}
                value={question.label}
                onInput={event => change(index, { label: event.currentTarget.value })}
              />
            )}
          </Field>
          <Field name={`question-kind-${index}`} label={t('question_kind')}>
            {control => (
              <select
                {...control}
                value={question.kind}
                onChange={event =>
                  change(index, { kind: event.currentTarget.value === 'choice' ? 'choice' : 'text' })
                }
              >
                <option value="text">{t('kind_text')}</option>
                <option value="choice">{t('kind_choice')}</option>
              </select>
            )}
          </Field>
          {question.kind === 'choice' && (
            <Field name={`question-options-${index}`} label={t('question_options')}>
              {control => (
                <textarea
                  {...control}
                  dir="auto"
                  defaultValue={question.options.join('\n')}
                  onInput={event =>
                    change(index, {
                      options: event.currentTarget.value
                        .split('\n')
                        .map(line => line.trim())
                        .filter(Boolean),
                    })
                  }
                />
              )}
            </Field>
          )}
          <div class="row apart">
            <label class="check">
              <input
                type="checkbox"
                checked={question.required}
                onChange={event => change(index, { required: event.currentTarget.checked })}
              />
              {t('question_required')}
            </label>
            <button
              class="button quiet tight"
              type="button"
              onClick={() => onChange(questions.filter((_, at) => at !== index))}
            >
              {t('remove')}
            </button>
          </div>
        </fieldset>
      ))}
      <div>
        <button
          class="button quiet"
          type="button"
          onClick={() => onChange([...questions, { label: '', kind: 'text', required: false, options: [] }])}
        >
          {t('add_question')}
        </button>
      </div>
    </div>
  )
}
