// What every form of the desk does: send once, show what is wrong beside the field, say when it is saved.
import { useRef, useState } from 'preact/hooks'
import { type FormErrors, focusFirstError, formErrors, noErrors } from '../lib/ui/form-errors.ts'
import { t } from './texts.ts'

export class InvalidForm extends Error {
  readonly fields: Record<string, string>

  constructor(fields: Record<string, string>) {
    super(t('check_fields'))
    this.fields = fields
  }
}

export function useForm(send: (data: FormData) => Promise<void>) {
  const form = useRef<HTMLFormElement>(null)
  const sending = useRef(false)
  const [busy, setBusy] = useState(false)
  const [saved, setSaved] = useState(false)
  const [errors, setErrors] = useState<FormErrors>(noErrors)

  const submit = async () => {
    if (sending.current || !form.current) return
    sending.current = true
    setBusy(true)
    setSaved(false)
    try {
      await send(new FormData(form.current))
      setErrors(noErrors)
      setSaved(true)
    } catch (error) {
      setErrors(
        error instanceof InvalidForm
          ? { form: error.message, fields: error.fields }
          : formErrors(error, t('no_answer')),
      )
      focusFirstError(form.current)
    } finally {
      sending.current = false
      setBusy(false)
    }
  }

  return {
    busy,
    saved,
    errors,
    props: {
      ref: form,
      noValidate: true,
      onSubmit: (event: Event) => {
        event.preventDefault()
        void submit()
      },
      onInput: () => setSaved(false),
    },
  }
}

export const textOf = (data: FormData, name: string) => String(data.get(name) ?? '').trim()
