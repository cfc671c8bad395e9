// Entry of the sandbox page.
import { mount } from '../lib/ui/mount.tsx'
import { App, preload } from './app.tsx'
import { open } from './ask.ts'

mount(<App />)
void open().then(preload)
