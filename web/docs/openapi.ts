// The part of an OpenAPI 3.1 document that a reader needs, and how its schemas are written in one line.

export type Schema = {
  $ref?: string
  type?: string | string[]
  format?: string
  description?: string
  enum?: unknown[]
  const?: unknown
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  required?: string[]
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  example?: unknown
  minimum?: number
  maximum?: number
  maxLength?: number
}

export type Content = Record<string, { schema?: Schema }>
export type Operation = {
  tags?: string[]
  summary?: string
  description?: string
  operationId?: string
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[]
  requestBody?: { content?: Content; required?: boolean }
  responses?: Record<string, { description?: string; content?: Content }>
}

export type Document = {
  info: { title: string; version: string; description?: string }
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

export type Entry = { method: string; path: string; operation: Operation }

const methods = ['get', 'post', 'put', 'patch', 'delete']

export function entriesOf(document: Document): Entry[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap(method => {
      const operation = item[method]
      return operation ? [{ method: method.toUpperCase(), path, operation }] : []
    }),
  )
}

const schemaName = (reference: string) => reference.split('/').at(-1) ?? reference

/** The schema a shape refers to at all, or null. */
export function namedSchema(schema: Schema | undefined): string | null {
  if (!schema) return null
  if (schema.$ref) return schemaName(schema.$ref)
  return namedSchema(schema.items)
}

/** "string (date-time) or null", "array of Ticket", "“open” or “closed”". */
export function typeText(schema: Schema | undefined): string {
  if (!schema) return 'anything'
  if (schema.$ref) return schemaName(schema.$ref)
  if (schema.const !== undefined) return `“${String(schema.const)}”`
  if (schema.enum) return schema.enum.map(value => `“${String(value)}”`).join(' or ')
  const union = schema.oneOf ?? schema.anyOf
  if (union) return [...new Set(union.map(typeText))].join(' or ')
  if (schema.allOf) return schema.allOf.map(typeText).join(' with ')
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? 'object']
  return types
    .map(type => {
      if (type === 'array') return `array of ${typeText(schema.items)}`
      if (type === 'object' && typeof schema.additionalProperties === 'object') {
        return `map to ${typeText(schema.additionalProperties)}`
      }
      return schema.format && type !== 'null' ? `${type} (${schema.format})` : type
    })
    .join(' or ')
}
