// Keeps the screen awake while it is needed; the browser drops the lock on every tab change, so it is asked for again.

export function keepAwake(): () => void {
  let wanted = true
  let sentinel: WakeLockSentinel | null = null
  const ask = async () => {
    if (!wanted || document.visibilityState !== 'visible') return
    try {
      sentinel = (await navigator.wakeLock?.request('screen')) ?? null
      if (!wanted) await sentinel?.release()
    } catch {
      // low battery or an old browser: the screen may dim, nothing else changes
    }
  }
  const again = () => void ask()
  document.addEventListener('visibilitychange', again)
  void ask()
  return () => {
    wanted = false
    document.removeEventListener('visibilitychange', again)
    void sentinel?.release().catch(() => undefined)
  }
}
