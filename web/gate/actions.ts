// What the screens ask of the station. It comes after the first paint; until then a call waits for it.

const station = () => import('./station.ts')

/** Every reader ends here: camera, hand scanner, paste and typing. */
export const presentCode = (code: string, seenAt = performance.now()) =>
  void station().then(it => it.presentCode(code, seenAt))
export const undo = (scanId: string) => void station().then(it => it.undo(scanId))
export const tryServer = () => void station().then(it => it.refreshSetup())
export const chooseGate = (number: number) => void station().then(it => it.chooseGate(number))
export const pairDevice = (code: string) => station().then(it => it.pairDevice(code))
export const unpair = () => station().then(it => it.unpair())
export const keepSound = (on: boolean) => void station().then(it => it.keepSound(on))
export const countExits = (on: boolean) => void station().then(it => it.countExits(on))
export const networkIsBack = () => void station().then(it => it.networkIsBack())
export const networkIsGone = () => void station().then(it => it.networkIsGone())
export const startStation = () => void station().then(it => it.startStation())
export const useThisTab = () => void station().then(it => it.useThisTab())
export const noticeSeen = (id: number) => void station().then(it => it.noticeSeen(id))
export const syncNow = () => station().then(it => it.syncNow())
export const askPersistence = () => station().then(it => it.askPersistence())
export const startRehearsal = () => station().then(it => it.startRehearsal())
export const endRehearsal = () => void station().then(it => it.endRehearsal())
