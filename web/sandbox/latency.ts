// How long each operation took, in numbers for a chart.

export type Taken = { operation: string; ms: number }
export type Latency = { operation: string; count: number; median: number; slowest: number }

/** Per operation, in the order of its first use. */
export function latencies(taken: Taken[]): Latency[] {
  const groups = new Map<string, number[]>()
  for (const { operation, ms } of taken) groups.set(operation, [...(groups.get(operation) ?? []), ms])
  return [...groups].map(([operation, times]) => {
    const sorted = [...times].sort((a, b) => a - b)
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
    return { operation, count: sorted.length, median, slowest: sorted.at(-1) ?? 0 }
  })
}
