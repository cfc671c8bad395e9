// The audit logs: their keys and growth, and any proof of this session checked, drawn and broken in the browser.
import { useEffect, useState } from 'preact/hooks'
import type { LogPath, MerkleValidation } from '../lib/api/types.ts'
import { checkConsistency, ProofRefused } from '../lib/core/proof.ts'
import { ask, checkNote, EDGE_EVENT, refreshLog, TICKET_EVENT, validationIn } from './ask.ts'
import { timeOf } from './moment.ts'
import { short } from './pretty.ts'
import { type LogMemory, type ProofNote, session } from './session.ts'
import { type Tamper, tampered, tampers } from './tamper.ts'
import { t } from './texts.ts'
import { TreePicture } from './tree-picture.tsx'
import { Choice, CopyButton, Doing, Sign } from './ui.tsx'

export function Merkle() {
  return (
    <div class="stack loose">
      <Logs />
      <Proofs />
    </div>
  )
}

function Logs() {
  return (
    <section class="stack" aria-labelledby="merkle-logs-title">
      <h2 id="merkle-logs-title">{t('merkle_logs')}</h2>
      <p class="soft small">{t('merkle_logs_hint')}</p>
      <div class="columns">
        {[TICKET_EVENT, EDGE_EVENT].map(event => (
          <Log key={event} event={event} />
        ))}
      </div>
    </section>
  )
}

type Growth = { holds: boolean; text: string }

/** Whether the newest checkpoint only adds to the first one that was seen. */
export async function growthOf(event: string, log: LogMemory): Promise<Growth> {
  const [from, to] = [log.first.size, log.newest.size]
  const path = `/v1/events/${event}/log/consistency/${from}/${to}`
  const { status, body } = await ask<LogPath>('log_consistency', 'GET', path)
  if (status !== 200) return { holds: false, text: t('no_answer') }
  try {
    await checkConsistency(log.first.checkpoint, log.newest.checkpoint, body.path, log.vkey)
  } catch (error) {
    if (error instanceof ProofRefused)
      return { holds: false, text: t('inconsistent', { why: error.message }) }
    throw error
  }
  return { holds: true, text: from === to ? t('consistent_same', { to }) : t('consistent', { from, to }) }
}

function Log({ event }: { event: string }) {
  const [growth, setGrowth] = useState<Growth | null>(null)
  const log = session.value.logs[event]
  const check = async () => {
    const fresh = await refreshLog(event)
    setGrowth(fresh ? await growthOf(event, fresh) : { holds: false, text: t('no_answer') })
  }
  if (!log) return null
  return (
    <div class="card stack" data-log={event}>
      <div class="row apart">
        <h3 class="mono">{event}</h3>
        <CopyButton text={() => log.vkey} label={t('copy_key')} shown={t('copy_key')} />
      </div>
      <dl class="facts">
        <dt>{t('vkey')}</dt>
        <dd class="mono small">{log.vkey}</dd>
        <dt>{t('first_seen')}</dt>
        <dd class="mono small">
          {log.first.size} · {short(log.first.root)}
        </dd>
        <dt>{t('newest')}</dt>
        <dd class="mono small" data-newest={log.newest.size}>
          {log.newest.size} · {short(log.newest.root)}
        </dd>
      </dl>
      {log.keyChanged && (
        <p class="notice bad" role="alert">
          {t('key_changed')}
        </p>
      )}
      <div class="row">
        <Doing run={() => refreshLog(event)}>{t('refresh')}</Doing>
        <Doing run={check}>{t('consistency')}</Doing>
      </div>
      <p class="small proof-line" role="status" data-holds={growth?.holds}>
        {growth ? (
          <>
            <Sign tone={growth.holds ? 'good' : 'bad'} />
            <span>{growth.text}</span>
          </>
        ) : (
          <span class="soft">{t('consistency_none')}</span>
        )}
      </p>
    </div>
  )
}

const partText = (part: Tamper) => t(`tamper_${part}`)

function Proofs() {
  const withProof = session.value.exchanges.filter(({ answer }) => validationIn(answer) !== null)
  const [picked, setPicked] = useState<number | null>(null)
  const exchange = withProof.find(({ id }) => id === picked) ?? withProof[0]
  const proof = validationIn(exchange?.answer)
  return (
    <section class="card stack" aria-labelledby="proofs-title">
      <h2 id="proofs-title">{t('proofs')}</h2>
      {!exchange || !proof ? (
        <p class="soft">{t('proofs_none')}</p>
      ) : (
        <>
          <Choice
            name="proof"
            label={t('proof_pick')}
            value={String(exchange.id)}
            options={withProof.map(({ id, at, operation, answer }) => [
              String(id),
              t('proof_option', {
                time: timeOf(at),
                operation,
                number: (validationIn(answer)?.inclusion_index ?? 0) + 1,
              }),
            ])}
            onChange={value => setPicked(Number(value))}
          />
          <OneProof key={exchange.id} proof={proof} />
        </>
      )}
    </section>
  )
}

function OneProof({ proof }: { proof: MerkleValidation }) {
  const [part, setPart] = useState<Tamper>('leaf')
  const [broken, setBroken] = useState<Tamper | null>(null)
  const [note, setNote] = useState<ProofNote | null>(null)
  const shown = broken ? tampered(proof, broken) : proof
  const check = async () => setNote(await checkNote(shown, proof.origin))
  useEffect(() => {
    void check()
  }, [broken])
  return (
    <div class="stack">
      <div class="tamper-row">
        <Choice
          name="tamper"
          label={t('tamper_part')}
          value={part}
          options={tampers.map((name): [string, string] => [name, partText(name)])}
          onChange={value => setPart(value as Tamper)}
        />
        <div class="row">
          <button class="button quiet" type="button" onClick={() => setBroken(part)}>
            {t('tamper')}
          </button>
          {broken && (
            <button class="button quiet" type="button" onClick={() => setBroken(null)}>
              {t('untamper')}
            </button>
          )}
          <Doing run={check}>{t('check')}</Doing>
        </div>
      </div>
      <div
        class={`notice ${note?.holds === false ? 'bad' : 'good'}`}
        role="status"
        data-verdict={note?.holds}
      >
        {note && (
          <>
            <p class="headline">
              <Sign tone={note.holds ? 'good' : 'bad'} />
              <strong>{note.holds ? t('holds') : t('fails')}</strong>
            </p>
            <p class="small">
              {broken && `${t('tampered', { part: partText(broken) })} `}
              {note.holds
                ? t('holds_text', {
                    number: note.index + 1,
                    size: note.size,
                    origin: proof.origin,
                    kind: note.kind,
                  })
                : t('why', { why: note.why })}
            </p>
          </>
        )}
      </div>
      <h3>{t('tree')}</h3>
      <TreePicture proof={shown} />
    </div>
  )
}
