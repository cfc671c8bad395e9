// The small line that says whether the network may go, and the one warning that matters most now.
import { computed } from '@preact/signals'
import { useState } from 'preact/hooks'
import { ago, type Readiness, readinessOf, type WarningKind } from './readiness.ts'
import { Icon } from './shapes.tsx'
import { keeps, persisted, setup, shellKept, stage, status, syncing } from './state.ts'
import { plural, t } from './texts.ts'

export const readiness = computed(() =>
  readinessOf({
    status: status.value,
    setup: setup.value,
    keeps: keeps.value,
    persisted: persisted.value,
    // In development there is no worker, and nothing is missing for that.
    shellKept: shellKept.value || !import.meta.env.PROD,
  }),
)

export function ReadyLine() {
  const { ready, ageMs } = readiness.value
  const pending = status.value?.pending ?? 0
  return (
    <div class="ready-line numeric" data-ready={ready} data-pending={pending}>
      <span>
        {ready && ageMs !== null
          ? t('ready_offline_at', { ago: ago(ageMs) })
          : ageMs === null
            ? `${t('not_ready_offline')} · ${t('no_contact')}`
            : t('not_ready_offline')}
      </span>
      {syncing.value && syncing.value.left > 0 ? (
        <strong>{t('sync_going', { left: syncing.value.left })}</strong>
      ) : (
        pending > 0 && <strong>{plural('pending', pending)}</strong>
      )}
    </div>
  )
}

function textOf(kind: WarningKind, { ageMs, limitMs }: Readiness): string {
  switch (kind) {
    case 'disk':
      return t('warn_disk')
    case 'rules':
      return t('warn_rules')
    case 'clock':
      return t('warn_clock', { ago: ago(status.value?.turned_back_ms ?? 0) })
    case 'stale':
      return t('warn_stale', { ago: ago(ageMs ?? 0), limit: ago(limitMs) })
    case 'storage':
      return t('warn_storage')
  }
}

export function Warning({ onMore }: { onMore: () => void }) {
  const [hidden, setHidden] = useState<WarningKind | null>(null)
  const { warning } = readiness.value
  // Only what does not stop the gate may be put aside.
  const mayHide = warning === 'storage' || warning === 'clock'
  if (!warning || warning === hidden || stage.value !== 'scanning') return null
  return (
    <div class="warning" role="status" data-warning={warning}>
      <Icon name="alert" />
      <span>{textOf(warning, readiness.value)}</span>
      <span class="warning-acts">
        <button class="link-button" type="button" onClick={onMore}>
          {t('warn_more')}
        </button>
        {mayHide && (
          <button
            class="icon-button small-icon"
            type="button"
            aria-label={t('warn_hide')}
            onClick={() => setHidden(warning)}
          >
            <Icon name="close" />
          </button>
        )}
      </span>
    </div>
  )
}
