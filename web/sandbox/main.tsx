// Entry of the sandbox page.
import { mount } from '../lib/ui/mount.tsx'
import { App } from './app.tsx'
import { open } from './ask.ts'

mount(<App />)
void open()
