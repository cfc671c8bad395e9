// The minutes of the chart: the server leaves empty ones out, a curve must not.

const MINUTE_MS = 60_000
const SHORTEST = 30

export type Series = { seconds: number[]; counts: number[] }

/** From the first entry (at least half an hour ago) to now, one value a minute, zeros where nobody came. */
export function arrivalSeries(arrivals: { minute: string; count: number }[], asOf: string): Series {
  const counts = new Map(
    arrivals.map(({ minute, count }) => [Math.floor(Date.parse(minute) / MINUTE_MS), count]),
  )
  const last = Math.max(Math.floor(Date.parse(asOf) / MINUTE_MS), ...counts.keys())
  const first = Math.min(last - SHORTEST + 1, ...counts.keys())
  const series: Series = { seconds: [], counts: [] }
  for (let minute = first; minute <= last; minute++) {
    series.seconds.push(minute * 60)
    series.counts.push(counts.get(minute) ?? 0)
  }
  return series
}
