// What the core's device asks for, carried out in its order: what is to be kept is durable before anything behind it happens.
import type { Kept } from '../lib/db/journal-db.ts'

export type Show = {
  do: 'show'
  scan: string
  verdict: 'admit' | 'refuse'
  offline: boolean
  reason: string | null
  message: string | null
  use: number | null
  uses_remaining: number | null
}
export type Effect =
  | { do: 'keep'; kept: Kept }
  | { do: 'forget'; scan: string }
  | { do: 'ask'; scan: string }
  | { do: 'notify'; notice: number }
  | Show

export type Hands = {
  write: (kept: Kept[], over: string[]) => Promise<void>
  /** `kept`, here and below: what came before it is durable. */
  ask: (scan: string, kept: boolean) => void
  show: (show: Show, kept: boolean) => void
  notify: (notice: number) => void
}

export const effectsOf = (json: string) => JSON.parse(json) as Effect[]

/** True when everything that was to be kept is kept. */
export async function carryOut(effects: Effect[], hands: Hands): Promise<boolean> {
  let keep: Kept[] = []
  let over: string[] = []
  let kept = true
  const settle = async () => {
    if (keep.length === 0 && over.length === 0) return
    const written = hands.write(keep, over).then(
      () => true,
      () => false,
    )
    // That a scan is over need not be on the disk before the next step: a restart would give it up once more.
    if (keep.length > 0) kept = (await written) && kept
    keep = []
    over = []
  }
  for (const effect of effects) {
    if (effect.do === 'keep') keep.push(effect.kept)
    else if (effect.do === 'forget') over.push(effect.scan)
    else {
      await settle()
      if (effect.do === 'ask') hands.ask(effect.scan, kept)
      else if (effect.do === 'show') hands.show(effect, kept)
      else hands.notify(effect.notice)
    }
  }
  await settle()
  return kept
}
