// What the API page says.
import { translator } from '../lib/i18n/translate.ts'

export const { t, plural } = translator({
  title: 'The API',
  loading: 'Loading…',
  no_answer: 'The description of the API could not be loaded.',
  try_again: 'Try again',
  filter: 'Filter',
  filter_hint: 'A path or a word',
  raw: 'OpenAPI document',
  parameters: 'Parameters',
  body: 'Body',
  answers: 'Answers',
  required: 'required',
  none: 'Nothing matches.',
  found: '{count} operation|{count} operations',
  schemas: 'Shapes',
  other: 'Other',
})
