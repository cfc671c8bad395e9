// A form field: label, hint and error tied to its control by id, so that a screen reader says all three.
import type { ComponentChildren } from 'preact'

type ControlProps = { id: string; name: string; 'aria-invalid'?: 'true'; 'aria-describedby'?: string }

type FieldProps = {
  name: string
  label: string
  hint?: ComponentChildren
  error?: string | undefined
  optional?: string
  children: (control: ControlProps) => ComponentChildren
}

export function Field({ name, label, hint, error, optional, children }: FieldProps) {
  const id = `field-${name}`
  const described = [error ? `${id}-error` : '', hint ? `${id}-hint` : ''].filter(Boolean).join(' ')
  const control: ControlProps = { id, name }
  if (error) control['aria-invalid'] = 'true'
  if (described) control['aria-describedby'] = described
  return (
    <div class="field">
      <label for={id}>
        {label}
        {optional && <span class="optional"> ({optional})</span>}
      </label>
      {children(control)}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {error && (
        <span class="error" id={`${id}-error`}>
          {error}
        </span>
      )}
    </div>
  )
}
