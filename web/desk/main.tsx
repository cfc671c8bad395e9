// Entry of the desk.
import { mount } from '../lib/ui/mount.tsx'
import { App } from './app.tsx'
import { startRouter } from './router.ts'
import { findSession } from './session.ts'

startRouter()
mount(<App />)
void findSession()
