// The journal as a file, for whoever must look into it without this device.
import { saveFile } from '../lib/ui/save-file.ts'

export async function saveJournal(): Promise<void> {
  const { journalFile } = await import('./station.ts')
  const file = journalFile()
  const blob = new Blob([JSON.stringify(file, null, 1)], { type: 'application/json' })
  saveFile(blob, `admit-journal-device-${file.device}.json`)
}
