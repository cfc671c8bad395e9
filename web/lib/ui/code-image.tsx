// The server's QR picture, shown as an image from a blob: it can draw, but never run or be clicked.
import { useEffect, useState } from 'preact/hooks'

export function CodeImage({ svg, alt }: { svg: string; alt: string }) {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }))
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [svg])
  return url ? <img class="code" src={url} alt={alt} width="320" height="320" /> : <span class="code" />
}
