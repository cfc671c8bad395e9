// A live link between two scanners on one network, without a server: each reads one code of the other, then entries flow both ways.
import { effect, signal } from '@preact/signals'
import { LINK_PREFIX } from './exchange-code.ts'
import { pack, partsOf } from './packing.ts'
import { linked } from './state.ts'

export type LinkState =
  | { kind: 'none' }
  | { kind: 'making' }
  /** Show this, and read the other's answer. */
  | { kind: 'offer'; codes: string[] }
  /** Show this; the link opens by itself. */
  | { kind: 'answer'; codes: string[] }
  | { kind: 'open'; sent: number; got: number }
  | { kind: 'lost' }

export const link = signal<LinkState>({ kind: 'none' })

effect(() => {
  linked.value = link.value.kind === 'open'
})

type Deps = {
  /** All own lists, signed. */
  lists: () => Promise<string[]>
  /** Takes one in; how many entries were new. */
  learn: (list: string) => Promise<{ fresh: number }>
}

const GATHERING_MS = 2_000
const MESSAGE_MAX = 60_000

let connection: RTCPeerConnection | null = null
let channel: RTCDataChannel | null = null
let told = new Set<string>()

function begin(deps: Deps): RTCPeerConnection {
  endLink()
  link.value = { kind: 'making' }
  // No servers to ask: both are on this network, or there is no link.
  const made = new RTCPeerConnection({ iceServers: [] })
  made.addEventListener('connectionstatechange', () => {
    if (made === connection && /failed|disconnected|closed/.test(made.connectionState))
      link.value = { kind: 'lost' }
  })
  made.addEventListener('datachannel', event => attend(event.channel, deps))
  connection = made
  return made
}

export async function offerLink(deps: Deps): Promise<void> {
  const made = begin(deps)
  attend(made.createDataChannel('spent'), deps)
  await made.setLocalDescription(await made.createOffer())
  link.value = { kind: 'offer', codes: await codesOf(made) }
}

/** Another scanner's code was read: an offer is answered, an answer opens the link. */
export async function takeLink(text: string, deps: Deps): Promise<void> {
  const description = JSON.parse(text) as RTCSessionDescriptionInit
  if (description.type === 'answer') {
    if (connection?.signalingState === 'have-local-offer') await connection.setRemoteDescription(description)
    return
  }
  const made = begin(deps)
  await made.setRemoteDescription(description)
  await made.setLocalDescription(await made.createAnswer())
  link.value = { kind: 'answer', codes: await codesOf(made) }
}

async function codesOf(made: RTCPeerConnection): Promise<string[]> {
  await gathered(made)
  const { type, sdp } = made.localDescription ?? { type: 'offer', sdp: '' }
  return partsOf(LINK_PREFIX, await pack(JSON.stringify({ type, sdp })))
}

/** Addresses of this network come at once; a network that answers slowly is not waited for. */
const gathered = (made: RTCPeerConnection) =>
  new Promise<void>(done => {
    if (made.iceGatheringState === 'complete') return done()
    const timer = setTimeout(done, GATHERING_MS)
    made.addEventListener('icegatheringstatechange', () => {
      if (made.iceGatheringState !== 'complete') return
      clearTimeout(timer)
      done()
    })
  })

function attend(opened: RTCDataChannel, { lists, learn }: Deps): void {
  channel = opened
  told = new Set()
  opened.addEventListener('open', () => {
    link.value = { kind: 'open', sent: 0, got: 0 }
    void tellLink(lists)
  })
  opened.addEventListener('message', event => {
    const list = String(event.data)
    if (list.length > MESSAGE_MAX) return
    void learn(list).then(
      ({ fresh }) => {
        if (link.value.kind === 'open') link.value = { ...link.value, got: link.value.got + fresh }
      },
      () => undefined, // not signed by a peer: nothing of it is taken
    )
  })
  opened.addEventListener('close', () => {
    if (opened === channel) link.value = { kind: 'lost' }
  })
}

/** Tells what was not told yet; called again after each entry. */
export async function tellLink(lists: () => Promise<string[]>): Promise<void> {
  if (channel?.readyState !== 'open') return
  for (const list of await lists()) {
    if (told.has(list) || channel?.readyState !== 'open') continue
    told.add(list)
    channel.send(list)
    const entries = list.split('\n').filter(line => /^\d+ \d+ \d+ [0-9a-f]{64}$/.test(line)).length
    if (link.value.kind === 'open') link.value = { ...link.value, sent: Math.max(link.value.sent, entries) }
  }
}

export function endLink(): void {
  const [open, made] = [channel, connection]
  channel = null
  connection = null
  open?.close()
  made?.close()
  link.value = { kind: 'none' }
}
