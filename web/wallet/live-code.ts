// The code that changes: made of this phone's key and the server's time, drawn anew with every epoch, network or none.
import { renderSVG } from 'uqr'
import { getTime, putTime } from '../lib/db/key-db.ts'
import type { KeptTicket } from '../lib/db/wallet-db.ts'
import { type KnownTime, reckoned, told } from '../lib/rotation/clock.ts'
import { epochAt, secondsLeft } from '../lib/rotation/code.ts'
import { boundHere, type Failure, Unbound } from './binding.ts'

const LOOK_MS = 250
/** White modules around it; the button around the picture adds as much again, and readers want four in all. */
const MARGIN = 2

export type LiveCode = {
  svg: string
  epoch: number
  seconds: number
  /** This phone's clock less the server's, in milliseconds, when that is more than one interval; else 0. */
  wrongMs: number
}

type Told = {
  /** The ticket as it is to be kept from now on. */
  onBound: (kept: KeptTicket) => void
  onCode: (code: LiveCode) => void
  onFailure: (failure: Failure) => void
}

let time: KnownTime | undefined
/** The last answer that the time was taken from: each counts once. */
let heard = ''

/** A browser that cannot remember the time goes by its own clock after a restart. */
const remember = () => time && putTime(time).catch(() => undefined)

/** Shows the codes of a ticket until it is stopped. `fresh`: the ticket is the server's answer and no copy. */
export function follow(kept: KeptTicket, fresh: boolean, { onBound, onCode, onFailure }: Told): () => void {
  const { access, ticket, checkedAt } = kept
  const { rotation } = ticket
  let going = true
  let timer: ReturnType<typeof setInterval> | undefined

  const run = async () => {
    if (!rotation) return
    time ??= await getTime().catch(() => undefined)
    if (fresh && rotation.server_time !== heard) {
      time = told(time, Date.parse(rotation.server_time), Date.parse(checkedAt))
      heard = rotation.server_time
    }
    const bound = await boundHere(access, rotation)
    // The moment of the ticket's answer stays beside the server's time in it.
    const { server_time } = rotation
    if (bound.rotation !== rotation) {
      onBound({ ...kept, ticket: { ...ticket, rotation: { ...bound.rotation, server_time } } })
    }
    const interval = rotation.interval_s
    let drawn = { svg: '', epoch: -1, seconds: -1, wrongMs: 0 }
    let drawing = false
    const look = async () => {
      if (drawing || !going) return
      drawing = true
      try {
        time = reckoned(time, Date.now())
        const epoch = epochAt(time.newest, interval)
        const seconds = secondsLeft(time.newest, interval)
        const wrong = Date.now() - time.newest
        const wrongMs = Math.abs(wrong) > interval * 1000 ? wrong : 0
        if (epoch === drawn.epoch && seconds === drawn.seconds) return
        let { svg } = drawn
        if (epoch !== drawn.epoch) {
          svg = renderSVG(await bound.code(epoch), { ecc: 'M', border: MARGIN })
          void remember()
        }
        drawn = { svg, epoch, seconds, wrongMs }
        if (going) onCode(drawn)
      } finally {
        drawing = false
      }
    }
    await look()
    if (going) timer = setInterval(() => void look(), LOOK_MS)
  }

  run().catch(error => {
    if (!(error instanceof Unbound)) throw error
    if (going) onFailure(error.failure)
  })
  return () => {
    going = false
    clearInterval(timer)
  }
}
