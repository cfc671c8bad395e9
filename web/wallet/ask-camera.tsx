// The camera that reads a gate's question; without one the digits are typed.
import { useRef } from 'preact/hooks'
import { useReader } from '../lib/camera/use-reader.ts'
import { p } from './proof-texts.ts'

export function AskCamera({ read }: { read: (code: string) => void }) {
  const video = useRef<HTMLVideoElement>(null)
  const latest = useRef(read)
  latest.current = read
  const { camera, trouble } = useReader(video, 0, { read: code => latest.current(code) })
  return (
    <>
      <section class="ask-camera" aria-label={p('camera')} hidden={trouble !== null}>
        <video ref={video} playsInline muted hidden={!camera} />
        {!camera && <p>{p('starting')}</p>}
      </section>
      {trouble && (
        <p class="notice" role="status">
          {trouble === 'denied' ? p('denied') : p('none')}
        </p>
      )}
    </>
  )
}
