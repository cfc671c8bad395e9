// The shapes of the verdicts: told apart by outline alone, without any colour.
import type { Tone } from './verdict-face.ts'

export function VerdictShape({ tone }: { tone: Tone }) {
  return (
    <svg class="shape" viewBox="0 0 100 100" aria-hidden="true">
      {tone === 'admit' && (
        <>
          <circle class="body" cx="50" cy="50" r="47" />
          <path class="sign" d="M27 52l16 17 31-36" />
        </>
      )}
      {tone === 'out' && (
        <>
          <path class="body" d="M4 14h54l38 36-38 36H4z" />
          <path class="sign" d="M20 50h50M52 32l18 18-18 18" />
        </>
      )}
      {tone === 'refuse' && (
        <>
          <path class="body" d="M31 4h38l27 27v38L69 96H31L4 69V31z" />
          <path class="sign" d="M33 33l34 34M67 33L33 67" />
        </>
      )}
      {tone === 'wait' && (
        <>
          <path class="body" d="M50 5l47 86H3z" />
          <path class="sign" d="M50 38v24M50 76v1" />
        </>
      )}
      {tone === 'undo' && (
        <>
          <rect class="body" x="5" y="5" width="90" height="90" rx="14" />
          <path class="sign" d="M38 28L24 42l14 14M26 42h32a16 16 0 0 1 0 32H40" />
        </>
      )}
      {tone === 'asking' && <circle class="spin" cx="50" cy="50" r="40" pathLength="100" />}
      {tone === 'ready' && (
        <path
          class="corners"
          d="M8 30V8h22M70 8h22v22M92 70v22H70M30 92H8V70M34 34h12v12H34zM54 34h12v12H54zM34 54h12v12H34zM58 58h8v8"
        />
      )}
    </svg>
  )
}

const paths = {
  light: 'M8 2h8l-1 7v3l-2 3v7h-2v-7l-2-3V9zM8 6h8',
  camera: 'M3 7h4l2-3h6l2 3h4v13H3zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
  keys: 'M2 6h20v12H2zM6 10h.01M10 10h.01M14 10h.01M18 10h.01M7 14h10',
  undo: 'M9 5L4 10l5 5M4 10h10a6 6 0 0 1 0 12h-3',
  menu: 'M4 6h16M4 12h16M4 18h16',
  alert: 'M12 3l10 18H2zM12 10v5M12 18v.01',
  close: 'M6 6l12 12M18 6L6 18',
  twice:
    'M8 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM2 21c0-4 3-7 6-7 2 0 3 1 4 2M17 5a4 4 0 0 1 0 8M14 21c0-4 2-6 4-6s4 2 4 6',
  sound: 'M4 9v6h4l5 4V5L8 9zM16 9l5 6M21 9l-5 6',
}

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
