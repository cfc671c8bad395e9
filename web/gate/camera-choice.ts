// Which camera this device uses, and whether it runs: shared by the picture, the menu and the panel.
import { signal } from '@preact/signals'
import { keepFact } from '../lib/db/gate-db.ts'

export const cameraOn = signal(false)
/** Set by the menu; the view opens it. Undefined: the rear camera. */
export const wantedCamera = signal<string | undefined>(undefined)
export const restart = signal(0)

export const startAgain = () => {
  restart.value += 1
}

export async function chooseCamera(id: string): Promise<void> {
  await keepFact('camera', id).catch(() => undefined)
  wantedCamera.value = id
  startAgain()
}
