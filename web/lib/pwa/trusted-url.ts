// Trusted Types: the one policy by which this code may name a script URL (a worker or a service worker), our own origin only.

type Policy = { createScriptURL: (url: string) => unknown }
type Factory = { createPolicy: (name: string, rules: { createScriptURL: (url: string) => string }) => Policy }

const ownOrigin = (url: string): string => {
  if (new URL(url, location.href).origin !== location.origin) throw new TypeError(`not our script: ${url}`)
  return url
}

function makePolicy(): Policy | null {
  const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes
  try {
    return factory?.createPolicy('admit', { createScriptURL: ownOrigin }) ?? null
  } catch {
    return null // a server that forbids the policy: the page works, only without camera and offline copy
  }
}

const policy = makePolicy()

/** Typed as the string that DOM signatures ask for; where the browser knows Trusted Types it is a TrustedScriptURL. */
export const trustedUrl = (url: string): string =>
  (policy ? policy.createScriptURL(url) : ownOrigin(url)) as string
