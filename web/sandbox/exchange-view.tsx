// One operation as it went: what it means in one line, the code if there is one, the proof, and both bodies.
import { CodeImage } from '../lib/ui/code-image.tsx'
import { pretty, whole } from './pretty.ts'
import type { Exchange, ProofNote } from './session.ts'
import { session } from './session.ts'
import { t } from './texts.ts'
import { CopyButton, Sign } from './ui.tsx'

/** The newest exchange of some operations. */
export function Latest({ of }: { of: string[] }) {
  const found = session.value.exchanges.find(({ operation, where }) => of.includes(`${where}:${operation}`))
  return (
    <div class="latest" aria-live="polite">
      {found && <ExchangeView key={found.id} exchange={found} />}
    </div>
  )
}

export function ExchangeView({ exchange }: { exchange: Exchange }) {
  const { tone, text } = exchange.headline
  const qr = (exchange.answer as { qr?: { svg: string; mode: string; modules: number } } | null)?.qr
  const number = (exchange.answer as { ticketId?: string } | null)?.ticketId ?? ''
  return (
    <div class={`exchange ${tone}`} data-operation={exchange.operation} data-status={exchange.status ?? ''}>
      <p class="headline">
        <Sign tone={tone} />
        <strong>{text}</strong>
        <span class="soft small numeric took">{t('ms', { ms: exchange.ms })}</span>
      </p>
      {exchange.proof && <ProofLine proof={exchange.proof} />}
      {exchange.where === 'browser' && <p class="small soft">{t('in_browser')}</p>}
      {qr && (
        <figure class="qr">
          <CodeImage svg={qr.svg} alt={t('code_alt', { number })} />
          <figcaption class="small soft">{t('code_size', { mode: qr.mode, modules: qr.modules })}</figcaption>
        </figure>
      )}
      <Body
        title={`${t('request')} · ${exchange.method} ${exchange.path}`}
        copy={t('copy_request')}
        value={exchange.request}
      />
      <Body
        title={`${t('answer')}${exchange.status === null ? '' : ` · ${exchange.status}`}`}
        copy={t('copy_answer')}
        value={exchange.answer}
      />
    </div>
  )
}

export function ProofLine({ proof }: { proof: ProofNote }) {
  return (
    <p class="small proof-line" data-holds={proof.holds}>
      <Sign tone={proof.holds ? 'good' : 'bad'} />
      <span>
        {proof.holds
          ? t('proof_holds', { number: proof.index + 1, size: proof.size, kind: proof.kind })
          : t('proof_fails', { why: proof.why })}
      </span>
    </p>
  )
}

function Body({ title, copy, value }: { title: string; copy: string; value: unknown }) {
  return (
    <details class="body">
      <summary class="small">{title}</summary>
      {value === null ? (
        <p class="small soft">{t('no_body')}</p>
      ) : (
        <>
          <CopyButton text={() => whole(value)} label={copy} />
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
          <pre tabIndex={0}>{pretty(value)}</pre>
        </>
      )}
    </details>
  )
}
