// Entry of the gate: takes the pairing code out of the address at once, then starts.
import { goOfflineReady } from '../lib/pwa/offline.ts'
import { mount } from '../lib/ui/mount.tsx'
import { startTheme } from '../lib/ui/theme.ts'
import { networkIsBack, networkIsGone, startStation } from './actions.ts'
import { App } from './app.tsx'
import { offeredCode, takePairingFragment } from './pairing-code.ts'
import { trySound } from './sound.ts'

offeredCode.value = takePairingFragment(location, history)
addEventListener('hashchange', () => {
  offeredCode.value = takePairingFragment(location, history) ?? offeredCode.value
})
addEventListener('online', networkIsBack)
addEventListener('offline', networkIsGone)
startTheme()
trySound()
mount(<App />)
startStation()
void goOfflineReady('/gate/')
