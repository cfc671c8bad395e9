// Entry of the API page: the server's own description of itself, made readable.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { call } from '../lib/api/http.ts'
import { Field } from '../lib/ui/field.tsx'
import { mount } from '../lib/ui/mount.tsx'
import { Wordmark } from '../lib/ui/wordmark.tsx'
import {
  type Content,
  type Document,
  type Entry,
  entriesOf,
  namedSchema,
  type Schema,
  typeText,
} from './openapi.ts'
import { plural, t } from './texts.ts'

function App() {
  const [api, setApi] = useState<Document | null>(null)
  const [failed, setFailed] = useState(false)
  const load = () => {
    setFailed(false)
    call<Document>('GET', '/v1/openapi.json').then(setApi, () => setFailed(true))
  }
  useEffect(load, [])
  return (
    <>
      <header class="top">
        <a class="wordmark" href="/">
          <Wordmark />
        </a>
      </header>
      <main>
        {api ? (
          <Api api={api} />
        ) : failed ? (
          <div class="notice bad stack" role="alert">
            <p>{t('no_answer')}</p>
            <div>
              <button class="button quiet" type="button" onClick={load}>
                {t('try_again')}
              </button>
            </div>
          </div>
        ) : (
          <p class="waiting">{t('loading')}</p>
        )}
      </main>
    </>
  )
}

function Api({ api }: { api: Document }) {
  const [filter, setFilter] = useState('')
  const entries = useMemo(() => entriesOf(api), [api])
  const wanted = filter.trim().toLowerCase()
  const found = entries.filter(entry => searchText(entry).includes(wanted))
  const groups = new Map<string, Entry[]>()
  for (const entry of found) {
    const tag = entry.operation.tags?.[0] ?? t('other')
    groups.set(tag, [...(groups.get(tag) ?? []), entry])
  }
  return (
    <div class="stack loose">
      <div class="stack">
        <h1>
          {t('title')} <span class="soft small mono">{api.info.version}</span>
        </h1>
        {api.info.description && <p class="prose">{api.info.description}</p>}
        <p>
          <a href="/v1/openapi.json">{t('raw')}</a>
        </p>
        <Field name="filter" label={t('filter')} hint={t('filter_hint')}>
          {control => (
            <input {...control} type="search" onInput={event => setFilter(event.currentTarget.value)} />
          )}
        </Field>
        <p class="small soft" role="status">
          {found.length === 0 ? t('none') : plural('found', found.length)}
        </p>
      </div>
      {[...groups].map(([tag, members]) => (
        <section key={tag} class="stack">
          <h2>{tag}</h2>
          {members.map(entry => (
            <OperationCard key={entry.method + entry.path} entry={entry} />
          ))}
        </section>
      ))}
      <section class="stack">
        <h2>{t('schemas')}</h2>
        {Object.entries(api.components?.schemas ?? {}).map(([name, schema]) => (
          <details key={name} class="card shape" id={`shape-${name}`}>
            <summary class="mono">{name}</summary>
            <SchemaTable schema={schema} />
          </details>
        ))}
      </section>
    </div>
  )
}

const searchText = ({ method, path, operation }: Entry) =>
  `${method} ${path} ${operation.summary ?? ''} ${operation.description ?? ''} ${operation.tags?.join(' ') ?? ''}`.toLowerCase()

function OperationCard({ entry: { method, path, operation } }: { entry: Entry }) {
  return (
    <details class="card operation">
      <summary>
        <span class={`method ${method.toLowerCase()}`}>{method}</span> <code class="path">{path}</code>
        {operation.summary && <span class="soft small summary-text">{operation.summary}</span>}
      </summary>
      <div class="stack operation-body">
        {operation.description && <p class="prose">{operation.description}</p>}
        {operation.parameters && operation.parameters.length > 0 && (
          <>
            <h3>{t('parameters')}</h3>
            <dl class="pairs">
              {operation.parameters.map(parameter => (
                <div key={parameter.in + parameter.name}>
                  <dt class="mono">
                    {parameter.name} <span class="soft">({parameter.in})</span>
                  </dt>
                  <dd>
                    {typeText(parameter.schema)}
                    {parameter.required && <span class="tag">{t('required')}</span>}{' '}
                    <span class="soft">{parameter.description}</span>
                  </dd>
                </div>
              ))}
            </dl>
          </>
        )}
        {operation.requestBody?.content && (
          <>
            <h3>{t('body')}</h3>
            <ContentText content={operation.requestBody.content} />
          </>
        )}
        <h3>{t('answers')}</h3>
        <dl class="pairs">
          {Object.entries(operation.responses ?? {}).map(([status, response]) => (
            <div key={status}>
              <dt class="mono">{status}</dt>
              <dd>
                {response.description} {response.content && <ContentText content={response.content} />}
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </details>
  )
}

function ContentText({ content }: { content: Content }) {
  return (
    <>
      {Object.entries(content).map(([type, { schema }]) => (
        <p key={type} class="small">
          <code>{type}</code>: <TypeLink schema={schema} />
        </p>
      ))}
    </>
  )
}

function TypeLink({ schema }: { schema: Schema | undefined }) {
  const name = namedSchema(schema)
  if (!name) return <>{typeText(schema)}</>
  const open = () => {
    const shape = document.getElementById(`shape-${name}`)
    if (shape instanceof HTMLDetailsElement) shape.open = true
  }
  return (
    <a href={`#shape-${name}`} onClick={open}>
      {typeText(schema)}
    </a>
  )
}

function SchemaTable({ schema }: { schema: Schema }) {
  const properties = Object.entries(schema.properties ?? {})
  return (
    <div class="stack operation-body">
      {schema.description && <p class="prose">{schema.description}</p>}
      {properties.length === 0 && <p>{typeText(schema)}</p>}
      <dl class="pairs">
        {properties.map(([name, property]) => (
          <div key={name}>
            <dt class="mono">{name}</dt>
            <dd>
              <TypeLink schema={property} />
              {schema.required?.includes(name) && <span class="tag">{t('required')}</span>}{' '}
              <span class="soft">{property.description}</span>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

mount(<App />)
