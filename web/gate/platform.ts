// What this device is, for people at the desk: the system and the browser.

export const platform = () => {
  const agent = navigator as Navigator & { userAgentData?: { platform: string; brands: { brand: string }[] } }
  const system =
    agent.userAgentData?.platform ||
    /iPhone|iPad|Android|Windows|Mac OS X|Linux/.exec(agent.userAgent)?.[0] ||
    ''
  const browser = /Firefox|Edg|OPR|SamsungBrowser|CriOS|Chrome|Safari/.exec(agent.userAgent)?.[0] ?? ''
  return `${system} ${browser}`.trim().slice(0, 80) || 'unknown'
}
