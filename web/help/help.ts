// Fills in the fingerprint, the names and the way on; everything else on this page works without any script.

type Authority = { fingerprint: string | null; names: string[]; https_port?: number }

const say = (id: string, text: string) => {
  const element = document.getElementById(id)
  if (element) element.textContent = text
}

function show(authority: Authority): void {
  // In groups, so that two people can read it to each other.
  const plain = authority.fingerprint?.replace(/[^0-9a-fA-F]/g, '').toUpperCase()
  say(
    'fingerprint',
    plain?.match(/.{1,4}/g)?.join(' ') ?? 'This server uses a certificate of its own: nothing to install.',
  )
  say('names', authority.names.join(', '))
  const link = document.getElementById('onward')
  if (link instanceof HTMLAnchorElement && authority.https_port) {
    const port = authority.https_port === 443 ? '' : `:${authority.https_port}`
    link.href = `https://${location.hostname}${port}/`
    link.textContent = link.href
    link.parentElement?.removeAttribute('hidden')
  }
}

fetch('/help/ca.json')
  .then(response => {
    if (!response.ok) throw new Error(String(response.status))
    return response.json() as Promise<Authority>
  })
  .then(show)
  .catch(() => say('fingerprint', 'Not available: read it on the server’s screen.'))

export {}
