// What a wallet drew for tickets on their way: for each offer it made the link's secret, for each it took the claim.
import { type DBSchema, openDB } from 'idb'

type Made = { access: string; to: 'give' | 'move'; secret: string }

interface OfferDb extends DBSchema {
  made: { key: string; value: Made }
  claims: { key: string; value: string }
}

const open = () =>
  openDB<OfferDb>('admit-wallet-offers', 1, {
    upgrade: database => {
      database.createObjectStore('made', { keyPath: 'access' })
      database.createObjectStore('claims')
    },
  })

export const getMade = async (access: string) => (await open()).get('made', access)

export const putMade = async (made: Made) => void (await (await open()).put('made', made))

export const dropMade = async (access: string) => (await open()).delete('made', access)

/** The claim of an offer; `draw` gives it the first time, and two tabs at once end with the same. */
export async function claimOf(offer: string, draw: () => string): Promise<string> {
  const database = await open()
  const writing = database.transaction('claims', 'readwrite')
  const known = await writing.store.get(offer)
  const claim = known ?? draw()
  if (!known) await writing.store.put(claim, offer)
  await writing.done
  return claim
}
