// Signing in.
import { signIn } from '../lib/api/desk.ts'
import { Problem } from '../lib/api/http.ts'
import { Field } from '../lib/ui/field.tsx'
import { FormStatus } from './form-status.tsx'
import { session } from './session.ts'
import { t } from './texts.ts'
import { InvalidForm, textOf, useForm } from './use-form.ts'

export function SignIn() {
  const { busy, errors, props } = useForm(async data => {
    const username = textOf(data, 'username')
    const password = String(data.get('password') ?? '')
    const fields: Record<string, string> = {}
    if (!username) fields.username = t('missing')
    if (!password) fields.password = t('missing')
    if (Object.keys(fields).length > 0) throw new InvalidForm(fields)
    try {
      session.value = await signIn(username, password)
    } catch (error) {
      if (error instanceof Problem && error.status === 401)
        throw new Problem({ detail: t('sign_in_failed') }, 401)
      if (error instanceof Problem && error.status === 429) {
        throw new Problem({ detail: t('sign_in_rate', { seconds: error.retryAfterSeconds ?? 60 }) }, 429)
      }
      throw error
    }
  })
  return (
    <div class="sign-in">
      <form class="card stack" {...props}>
        <h1>{t('sign_in')}</h1>
        <FormStatus errors={errors} saved={false} />
        <Field name="username" label={t('username')} error={errors.fields.username}>
          {control => (
            <input
              {...control}
              type="text"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
            />
          )}
        </Field>
        <Field name="password" label={t('password')} error={errors.fields.password}>
          {control => <input {...control} type="password" autocomplete="current-password" />}
        </Field>
        <button class="button wide" type="submit" disabled={busy}>
          {busy ? t('signing_in') : t('sign_in')}
        </button>
      </form>
    </div>
  )
}
