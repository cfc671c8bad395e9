// What a failed call means for a form: a message per field, and one for the form as a whole.
import { NoAnswer, Problem } from '../api/http.ts'

export type FormErrors = { form: string | null; fields: Record<string, string> }

export const noErrors: FormErrors = { form: null, fields: {} }

export function formErrors(error: unknown, noAnswerText: string): FormErrors {
  if (error instanceof Problem) {
    const fields = Object.fromEntries(error.fields.map(field => [field.name, field.message]))
    return { form: error.message, fields }
  }
  if (error instanceof NoAnswer) return { form: noAnswerText, fields: {} }
  throw error
}

/** Moves the focus to the first control that is wrong, or to the summary when none is. */
export function focusFirstError(form: HTMLElement | null): void {
  requestAnimationFrame(() => {
    const target = form?.querySelector<HTMLElement>('[aria-invalid="true"], [role="alert"]')
    if (target && target.tabIndex < 0) target.tabIndex = -1
    target?.focus()
  })
}
