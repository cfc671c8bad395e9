// The drawing of the arrivals chart, with uPlot; its colours are the tokens of the page.
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Series } from './arrival-series.ts'

export type Chart = { update: (series: Series) => void; remove: () => void }

const HEIGHT = 220

export function drawChart(holder: HTMLElement, series: Series, zone: string): Chart {
  const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const bars = UPlot.paths.bars?.({ size: [0.8, 24], radius: 0.2 })
  let plot = make()

  function make(): UPlot {
    const axis = {
      stroke: token('--ink-soft'),
      grid: { stroke: token('--line'), width: 1 },
      ticks: { show: false },
    }
    return new UPlot(
      {
        width: holder.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false }, y: false },
        legend: { show: false },
        tzDate: seconds => UPlot.tzDate(new Date(seconds * 1000), zone),
        scales: {
          x: { time: true },
          y: { range: (_plot, _min, max) => [0, Math.max(5, Math.ceil(max * 1.1))] },
        },
        axes: [
          {
            ...axis,
            values: [
              [3600, '{HH}:{mm}', null, null, null, null, null, null, 1],
              [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
            ],
          },
          { ...axis, size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
        ],
        series: [
          {},
          {
            stroke: token('--accent'),
            fill: token('--accent'),
            width: 0,
            ...(bars ? { paths: bars } : {}),
            points: { show: false },
          },
        ],
      },
      [series.seconds, series.counts],
      holder,
    )
  }

  const sized = new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: HEIGHT }))
  sized.observe(holder)
  const scheme = matchMedia('(prefers-color-scheme: dark)')
  const redraw = () => {
    plot.destroy()
    plot = make()
  }
  scheme.addEventListener('change', redraw)

  return {
    update: next => {
      series = next
      plot.setData([next.seconds, next.counts])
    },
    remove: () => {
      sized.disconnect()
      scheme.removeEventListener('change', redraw)
      plot.destroy()
    },
  }
}
