// The three lines of a checkpoint that are signed. Reading is not checking: that is the core's.
import { fromBase64, hex } from './hex.ts'
import type { Head } from './session.ts'

/** Size and root of a checkpoint's text (C2SP tlog-checkpoint); null when it is none. */
export function headOf(checkpoint: string): Head | null {
  const [, size = '', root = ''] = checkpoint.split('\n')
  if (!/^\d+$/.test(size)) return null
  try {
    const bytes = fromBase64(root)
    return bytes.length === 32 ? { size: Number(size), root: hex(bytes), checkpoint } : null
  } catch {
    return null
  }
}
