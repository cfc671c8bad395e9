// The line above a form's buttons: what went wrong as a whole, or that it is saved.
import type { FormErrors } from '../lib/ui/form-errors.ts'
import { t } from './texts.ts'

export function FormStatus({ errors, saved }: { errors: FormErrors; saved: boolean }) {
  return (
    <>
      {errors.form && (
        <p class="notice bad" role="alert">
          {errors.form}
        </p>
      )}
      <p class={saved ? 'notice good' : 'hidden-text'} role="status">
        {saved ? t('saved') : ''}
      </p>
    </>
  )
}
