// Arrivals per minute: a chart for eyes (loaded only here), a sentence and a table for everybody.
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Stats } from '../lib/api/types.ts'
import { timeIn } from '../lib/time/zone.ts'
import { arrivalSeries } from './arrival-series.ts'
import type { Chart } from './arrivals-chart.ts'
import { t } from './texts.ts'

export function Arrivals({ stats, zone }: { stats: Stats; zone: string }) {
  const holder = useRef<HTMLDivElement>(null)
  const chart = useRef<Chart | null>(null)
  const series = useMemo(() => arrivalSeries(stats.arrivals, stats.as_of), [stats])
  const latest = useRef(series)
  latest.current = series
  const empty = stats.arrivals.length === 0

  useEffect(() => {
    if (empty) return
    let gone = false
    void import('./arrivals-chart.ts').then(({ drawChart }) => {
      if (!gone && holder.current) chart.current = drawChart(holder.current, latest.current, zone)
    })
    return () => {
      gone = true
      chart.current?.remove()
      chart.current = null
    }
  }, [empty, zone])
  useEffect(() => chart.current?.update(series), [series])

  if (empty) return <p class="soft">{t('arrivals_none')}</p>
  const busiest = stats.arrivals.reduce((best, next) => (next.count > best.count ? next : best))
  const total = stats.arrivals.reduce((sum, { count }) => sum + count, 0)
  return (
    <figure class="stack">
      <div ref={holder} class="chart" aria-hidden="true" />
      <figcaption class="small soft">
        {t('arrivals_text', { total, at: timeIn(zone, busiest.minute), count: busiest.count })}
      </figcaption>
      <details class="small">
        <summary>{t('arrivals_table')}</summary>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">{t('minute')}</th>
              <th scope="col">{t('count')}</th>
            </tr>
          </thead>
          <tbody>
            {stats.arrivals.toReversed().map(({ minute, count }) => (
              <tr key={minute}>
                <th scope="row">{timeIn(zone, minute)}</th>
                <td>{count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  )
}
