// The battery's charge in percent, where the browser tells it.
import { signal } from '@preact/signals'

export const battery = signal<number | null>(null)

type BatteryManager = EventTarget & { level: number }

export function watchBattery(): void {
  const ask = (navigator as Navigator & { getBattery?: () => Promise<BatteryManager> }).getBattery
  ask?.call(navigator).then(
    found => {
      const look = () => {
        battery.value = Math.round(found.level * 100)
      }
      found.addEventListener('levelchange', look)
      look()
    },
    () => undefined,
  )
}
