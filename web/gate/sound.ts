// Two sounds nobody mixes up in a crowd: admit rises twice, refuse buzzes low. Made here, so that nothing has to load.
import { signal } from '@preact/signals'

export const soundBlocked = signal(false)
export const soundOn = signal(true)

let context: AudioContext | null = null

/** Browsers allow sound only after a tap: call this from one. */
export function unlockSound(): void {
  try {
    context ??= new AudioContext()
    void context.resume().then(look, look)
  } catch {
    context = null
  }
}

function look(): void {
  soundBlocked.value = context?.state !== 'running'
}

/** At start, without a tap: works where the browser remembers the permission, and tells when it does not. */
export function trySound(): void {
  unlockSound()
  look()
}

type Tone = { from: number; to: number; at: number; length: number; shape: OscillatorType; volume: number }

function play(tones: Tone[]): void {
  if (!soundOn.value || context?.state !== 'running') return
  const now = context.currentTime
  for (const tone of tones) {
    const oscillator = context.createOscillator()
    const gain = context.createGain()
    oscillator.type = tone.shape
    oscillator.frequency.setValueAtTime(tone.from, now + tone.at)
    oscillator.frequency.linearRampToValueAtTime(tone.to, now + tone.at + tone.length)
    gain.gain.setValueAtTime(0.0001, now + tone.at)
    gain.gain.exponentialRampToValueAtTime(tone.volume, now + tone.at + 0.012)
    gain.gain.setValueAtTime(tone.volume, now + tone.at + tone.length - 0.03)
    gain.gain.exponentialRampToValueAtTime(0.0001, now + tone.at + tone.length)
    oscillator.connect(gain).connect(context.destination)
    oscillator.start(now + tone.at)
    oscillator.stop(now + tone.at + tone.length)
  }
}

const vibrate = (pattern: number[]) => void navigator.vibrate?.(pattern)

export function soundAdmit(): void {
  vibrate([120])
  play([
    { from: 880, to: 900, at: 0, length: 0.11, shape: 'sine', volume: 0.5 },
    { from: 1320, to: 1400, at: 0.12, length: 0.2, shape: 'sine', volume: 0.6 },
  ])
}

export function soundRefuse(): void {
  vibrate([220, 90, 220, 90, 220])
  play([
    { from: 196, to: 180, at: 0, length: 0.24, shape: 'sawtooth', volume: 0.5 },
    { from: 165, to: 130, at: 0.3, length: 0.42, shape: 'sawtooth', volume: 0.6 },
  ])
}

export function soundWait(): void {
  vibrate([60, 60, 60])
  play([{ from: 440, to: 440, at: 0, length: 0.09, shape: 'triangle', volume: 0.3 }])
}

export function soundRepeat(): void {
  vibrate([30])
  play([{ from: 620, to: 620, at: 0, length: 0.05, shape: 'triangle', volume: 0.2 }])
}

/** A ticket entered twice: a call that is neither admit nor refuse. */
export function soundAlarm(): void {
  vibrate([80, 60, 80, 60, 80, 60, 80])
  play([
    { from: 740, to: 740, at: 0, length: 0.12, shape: 'square', volume: 0.25 },
    { from: 520, to: 520, at: 0.16, length: 0.12, shape: 'square', volume: 0.25 },
    { from: 740, to: 740, at: 0.32, length: 0.12, shape: 'square', volume: 0.25 },
    { from: 520, to: 520, at: 0.48, length: 0.2, shape: 'square', volume: 0.25 },
  ])
}
