// The wallet's own memory: each ticket with its QR picture, so that it opens with no network.
import { type DBSchema, openDB } from 'idb'
import type { Ticket } from '../api/types.ts'

export type KeptTicket = { access: string; ticket: Ticket; svg: string; checkedAt: string }

interface WalletDb extends DBSchema {
  tickets: { key: string; value: KeptTicket }
}

const open = () =>
  openDB<WalletDb>('admit-wallet', 1, {
    upgrade: database => void database.createObjectStore('tickets', { keyPath: 'access' }),
  })

export const keepTicket = async (kept: KeptTicket) => void (await (await open()).put('tickets', kept))

export const getKeptTicket = async (access: string) => (await open()).get('tickets', access)

export const listKeptTickets = async () => (await open()).getAll('tickets')

export const dropTicket = async (access: string) => (await open()).delete('tickets', access)
