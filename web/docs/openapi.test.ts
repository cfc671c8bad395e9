// Schemas in one line.
import { expect, it } from 'vitest'
import { entriesOf, typeText } from './openapi.ts'

it('writes types for people', () => {
  expect(typeText({ $ref: '#/components/schemas/Ticket' })).toBe('Ticket')
  expect(typeText({ type: ['string', 'null'], format: 'date-time' })).toBe('string (date-time) or null')
  expect(typeText({ type: 'array', items: { $ref: '#/x/Scan' } })).toBe('array of Scan')
  expect(typeText({ enum: ['open', 'closed'] })).toBe('“open” or “closed”')
  expect(typeText({ oneOf: [{ type: 'null' }, { $ref: '#/x/Ticket' }] })).toBe('null or Ticket')
  expect(typeText({ type: 'object', additionalProperties: { type: 'integer' } })).toBe('map to integer')
})

it('lists every operation', () => {
  const document = {
    info: { title: 'x', version: '1' },
    paths: { '/a': { get: {}, post: {}, parameters: {} } },
  }
  expect(entriesOf(document).map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /a', 'POST /a'])
})
