// The big panel. Only an answer of a verifier puts a verdict here.

import { preciseTimeIn } from '../lib/time/zone.ts'
import { cameraOn } from './camera-choice.ts'
import { VerdictShape } from './shapes.tsx'
import { countsExits, recents, shown, zone } from './state.ts'
import { t } from './texts.ts'
import { type Face, faceOf } from './verdict-face.ts'

function readyFace(): Face {
  const last = recents.value[0]
  const lines = [cameraOn.value ? t('ready_hint') : t('ready_no_camera')]
  if (last) lines.push(t('last', { word: last.word, at: preciseTimeIn(zone.value, last.at) }))
  return { tone: 'ready', word: t('ready'), lines, name: null, ticket: null }
}

export function VerdictPanel() {
  const scan = shown.value
  const face = scan ? faceOf(scan, zone.value) : readyFace()
  const isVerdict = scan !== null && face.tone !== 'asking'
  const exit = scan ? scan.direction === 'exit' : countsExits.value
  return (
    <section
      class={`verdict ${face.tone}`}
      data-tone={face.tone}
      data-scan={scan?.scanId ?? ''}
      aria-label={t('verdict')}
      // On a small screen it scrolls: keyboards must reach what is below.
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region
      tabIndex={0}
    >
      <VerdictShape tone={face.tone} />
      {/* One live region that stays: a new one for each verdict would be missed by some readers. */}
      <div class="verdict-text" role="alert" aria-atomic="true">
        {isVerdict && <VerdictText key={scan.scanId} face={face} exit={exit} />}
      </div>
      {!isVerdict && (
        <div class="verdict-text">
          <VerdictText face={face} exit={exit} />
        </div>
      )}
    </section>
  )
}

function VerdictText({ face, exit }: { face: Face; exit: boolean }) {
  const [reason, ...more] = face.lines
  return (
    <>
      {exit && <span class="exit-mark">{t('exit')}</span>}
      <strong class="word">{face.word}</strong>
      {reason && <p class="reason">{reason}</p>}
      {more.map(line => (
        <p key={line}>{line}</p>
      ))}
      {face.name && (
        <p class="who" dir="auto">
          {face.name}
        </p>
      )}
      {face.ticket && (
        <p class="which" dir="auto">
          {face.ticket}
        </p>
      )}
      {face.note && <p class="small">{face.note}</p>}
    </>
  )
}
