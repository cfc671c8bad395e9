// A ticket entered twice, and this scanner was part of it: stays until the steward has seen it.
import { useEffect, useRef } from 'preact/hooks'
import type { DoubleEntry, EntrySide } from '../lib/api/types.ts'
import { preciseTimeIn } from '../lib/time/zone.ts'
import { noticeSeen } from './actions.ts'
import './double.css'
import { t } from './double-texts.ts'
import { apart } from './double-words.ts'
import { Icon } from './shapes.tsx'
import { notices, zone } from './state.ts'

export function DoubleNotice() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const [first] = notices.value
  if (!first) return null
  return (
    <dialog
      ref={dialog}
      class="double"
      aria-labelledby="double-title"
      // Only "Seen" closes it: Escape or a stray tap is not somebody who read it.
      onCancel={event => event.preventDefault()}
      onClose={() => dialog.current?.showModal()}
    >
      <DoubleFacts double={first} />
      <div class="row apart">
        {notices.value.length > 1 ? (
          <span class="soft small numeric">{t('more_notices', { count: notices.value.length - 1 })}</span>
        ) : (
          <span />
        )}
        <button class="button huge" type="button" onClick={() => noticeSeen(first.id)}>
          {t('seen')}
        </button>
      </div>
    </dialog>
  )
}

export function DoubleFacts({ double }: { double: DoubleEntry }) {
  const { fraud, order_certain: certain, first, second, mine } = double
  const here = (side: 'first' | 'second') => mine === side || mine === 'both'
  return (
    <div class="stack" data-double={double.id}>
      <div class="double-head">
        <Icon name={fraud ? 'alert' : 'twice'} />
        <div>
          <h2 id="double-title">{t(fraud ? 'fraud_title' : 'double_title')}</h2>
          <p class="mono" dir="auto">
            {double.ticket}
            <span class="soft"> · {double.type_name}</span>
          </p>
        </div>
      </div>
      <ol class="double-line plain">
        <Entry side={first} word={t(certain ? 'came_first' : 'counted_first')} here={here('first')} />
        <li class="gap">
          <span>{t('apart', { time: apart(double.apart_ms) })}</span>
        </li>
        <Entry side={second} word={t(certain ? 'came_second' : 'counted_second')} here={here('second')} />
      </ol>
      {!certain && <p class="small soft">{t('uncertain')}</p>}
      {fraud && <p class="notice bad">{t('fraud_hint')}</p>}
      <p>{t('what_now')}</p>
    </div>
  )
}

function Entry({ side, word, here }: { side: EntrySide; word: string; here: boolean }) {
  return (
    <li class="entry" data-here={here}>
      <span class="tag">{word}</span>
      <strong dir="auto">{side.gate_name}</strong>
      <span class="numeric">{preciseTimeIn(zone.value, side.at)}</span>
      <span class="small soft" dir="auto">
        {here ? t('this_device') : side.device_name}
      </span>
    </li>
  )
}
