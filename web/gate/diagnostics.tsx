// Sync and diagnostics: first whether all is well, then what to do, then the figures behind it.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { NoAnswer } from '../lib/api/http.ts'
import { momentIn } from '../lib/time/zone.ts'
import { version } from '../lib/version.ts'
import { askPersistence, syncNow } from './actions.ts'
import { battery } from './battery.ts'
import './diagnostics.css'
import { plural, t } from './diagnostics-texts.ts'
import { DoubleFacts } from './double-notice.tsx'
import { downloaded, downloadForEvent, downloading, lookForDownload } from './download.ts'
import { saveJournal } from './journal-file.ts'
import { ago } from './readiness.ts'
import { readiness } from './ready-line.tsx'
import {
  connection,
  doubles,
  keeps,
  persisted,
  rulesOnDevice,
  setup,
  shellKept,
  status,
  syncing,
  syncTrouble,
  unreadable,
  zone,
} from './state.ts'

export function Diagnostics({ onClose, onExchange }: { onClose: () => void; onExchange: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
    void lookForDownload()
  }, [])
  return (
    <dialog ref={dialog} class="menu diagnostics" aria-labelledby="diagnostics-title" onClose={onClose}>
      <div class="stack loose">
        <div class="row apart">
          <h2 id="diagnostics-title">{t('title')}</h2>
          <button class="button quiet tight" type="button" onClick={() => dialog.current?.close()}>
            {t('close')}
          </button>
        </div>
        <Health />
        <Sync />
        <Doubles />
        <Part title={t('exchange')}>
          <p class="small soft">{t('exchange_hint')}</p>
          <button class="button quiet" type="button" onClick={onExchange}>
            {t('exchange_open')}
          </button>
        </Part>
        <Download />
        <Storage />
        <ClockPart />
        <Part title={t('device')}>
          <Pairs>
            <Pair name={t('battery')} value={battery.value === null ? t('unknown') : `${battery.value} %`} />
            <Pair name={t('number')} value={String(setup.value?.device.id ?? '')} />
            <Pair name={t('version')} value={version} />
          </Pairs>
        </Part>
      </div>
    </dialog>
  )
}

function Part({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h3>{title}</h3>
      {children}
    </section>
  )
}

const Pairs = ({ children }: { children: ComponentChildren }) => <dl class="about">{children}</dl>

function Pair({ name, value, bad }: { name: string; value: string; bad?: boolean }) {
  return (
    <>
      <dt>{name}</dt>
      <dd class={bad ? 'bad-value' : 'numeric'}>{value}</dd>
    </>
  )
}

function Health() {
  const { ready, ageMs, limitMs, warning } = readiness.value
  const offline = connection.value === 'offline'
  const good = ready && (warning === null || warning === 'storage')
  return (
    <div class={`health ${good ? 'good' : 'bad'}`} role="status" data-health={good ? 'good' : 'bad'}>
      <span class="health-sign" aria-hidden="true">
        {good ? '✓' : '!'}
      </span>
      <div>
        <strong>{good ? (offline ? t('offline_fine') : t('fine')) : t('trouble')}</strong>
        {good && (
          <p class="small">
            {offline
              ? t('offline_fine_hint', { left: ago(limitMs - (ageMs ?? 0)) })
              : t('fine_hint', { limit: ago(limitMs) })}
          </p>
        )}
      </div>
    </div>
  )
}

function Sync() {
  const pending = status.value?.pending ?? 0
  const { ageMs } = readiness.value
  const going = syncing.value
  return (
    <Part title={t('sync')}>
      <p class={pending > 0 ? 'waiting-count' : ''} data-pending={pending}>
        {pending > 0 ? plural('waiting', pending) : t('nothing_waits')}
      </p>
      <Pairs>
        <Pair name={t('last_contact')} value={ageMs === null ? t('never') : t('ago', { time: ago(ageMs) })} />
        <Pair name={t('known')} value={(status.value?.known ?? 0).toLocaleString('en-GB')} />
      </Pairs>
      {going && (
        <div>
          <progress value={going.sent} max={Math.max(1, going.sent + going.left)} />
          <p class="small soft numeric">{t('syncing_left', { sent: going.sent, left: going.left })}</p>
        </div>
      )}
      {syncTrouble.value && (
        <p class="notice warn" role="status">
          {syncTrouble.value}
        </p>
      )}
      <div class="row">
        <button class="button" type="button" disabled={going !== null} onClick={() => void syncNow()}>
          {going ? t('syncing') : t('sync_now')}
        </button>
        <button class="button quiet" type="button" onClick={() => void saveJournal()}>
          {t('save_journal')}
        </button>
      </div>
    </Part>
  )
}

function Doubles() {
  return (
    <Part title={t('doubles')}>
      {doubles.value.length === 0 ? (
        <p class="soft small">{t('doubles_none')}</p>
      ) : (
        doubles.value.map(double => (
          <details key={double.id} class="past-double">
            <summary>
              <span class="mono">{double.ticket}</span> <span class="soft">{double.type_name}</span>
            </summary>
            <DoubleFacts double={double} />
          </details>
        ))
      )}
    </Part>
  )
}

function Download() {
  const [cut, setCut] = useState(false)
  const state = downloaded.value
  const open = state !== null && state.next !== null
  const start = async () => {
    setCut(false)
    const { token } = await import('./station.ts')
    await downloadForEvent(token()).catch(error => {
      if (!(error instanceof NoAnswer)) throw error
      setCut(true)
    })
  }
  return (
    <Part title={t('download')}>
      <p class="small soft">{t('download_hint')}</p>
      {state && (
        <div data-download={open ? 'open' : 'whole'}>
          {open && <progress value={state.got} max={Math.max(1, state.total)} />}
          <p class="small numeric">
            {t('download_at', { got: state.got, total: state.total, at: momentIn(zone.value, state.madeAt) })}
          </p>
        </div>
      )}
      {cut && (
        <p class="notice warn" role="status">
          {t('download_cut')}
        </p>
      )}
      <div>
        <button
          class="button quiet"
          type="button"
          disabled={downloading.value}
          onClick={() => void start().catch(() => setCut(true))}
        >
          {downloading.value
            ? t('downloading')
            : open
              ? t('download_go_on')
              : t(state ? 'download_again' : 'download_now')}
        </button>
      </div>
    </Part>
  )
}

const size = (bytes: number) =>
  bytes < 1e6
    ? `${Math.ceil(bytes / 1e3)} kB`
    : bytes < 1e9
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${(bytes / 1e9).toFixed(1)} GB`

function Storage() {
  const [estimate, setEstimate] = useState<StorageEstimate | null>(null)
  useEffect(() => {
    void navigator.storage?.estimate?.().then(setEstimate, () => undefined)
  }, [])
  const used = estimate?.usage
  const quota = estimate?.quota
  return (
    <Part title={t('storage')}>
      <Pairs>
        <Pair
          name={t('used')}
          value={
            used === undefined
              ? t('unknown')
              : quota
                ? t('used_of', { used: size(used), quota: size(quota) })
                : size(used)
          }
        />
        <Pair
          name={t('kept')}
          value={persisted.value ? t('kept_yes') : t('kept_no')}
          bad={!persisted.value}
        />
        <Pair name={t('disk')} value={keeps.value ? t('yes') : t('disk_no')} bad={!keeps.value} />
        <Pair name={t('shell')} value={shellKept.value ? t('yes') : t('shell_no')} bad={!shellKept.value} />
        <Pair
          name={t('rules')}
          value={rulesOnDevice.value ? t('yes') : t('rules_no')}
          bad={!rulesOnDevice.value}
        />
      </Pairs>
      {!persisted.value && (
        <div class="notice warn stack">
          <p>{t('kept_how')}</p>
          <div>
            <button class="button quiet tight" type="button" onClick={() => void askPersistence()}>
              {t('ask_again')}
            </button>
          </div>
        </div>
      )}
      {unreadable.value > 0 && (
        <p class="notice bad">
          <strong>{plural('unreadable', unreadable.value)}</strong>
          <br />
          {t('unreadable_hint')}
        </p>
      )}
    </Part>
  )
}

function ClockPart() {
  const told = status.value
  if (!told) return null
  const offset = told.guess_ms - Date.now()
  const time = ago(Math.abs(offset))
  return (
    <Part title={t('clock')}>
      <Pairs>
        <Pair
          name={t('offset')}
          value={
            Math.abs(offset) < 1_500
              ? t('offset_right')
              : offset > 0
                ? t('offset_slow', { time })
                : t('offset_fast', { time })
          }
          bad={Math.abs(offset) > 60_000}
        />
        <Pair
          name={t('sure')}
          value={
            told.high_ms === null
              ? t('sure_not')
              : t('sure_within', { time: `${((told.high_ms - told.low_ms) / 1000).toFixed(1)} s` })
          }
        />
      </Pairs>
      {told.turned_back_ms > 60_000 && (
        <p class="notice bad">{t('turned_back', { time: ago(told.turned_back_ms) })}</p>
      )}
    </Part>
  )
}
