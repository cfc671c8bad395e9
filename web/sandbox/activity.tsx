// Everything that was done in this session, and how long it took.
import { latencies } from './latency.ts'
import { timeOf } from './moment.ts'
import { session } from './session.ts'
import { plural, t } from './texts.ts'
import { Sign } from './ui.tsx'

export function Activity() {
  const { exchanges, count } = session.value
  return (
    <div class="columns wide-first">
      <section class="card stack" aria-labelledby="activity-title">
        <div class="row apart">
          <h2 id="activity-title">{t('activity')}</h2>
          <span class="tag" data-count={count}>
            {plural('activity_count', count)}
          </span>
        </div>
        <p class="soft small">
          {t('activity_hint')}
          {count > exchanges.length && ` ${t('activity_dropped', { count: exchanges.length })}`}
        </p>
        {exchanges.length === 0 ? (
          <p class="soft">{t('activity_none')}</p>
        ) : (
          <table class="log activity">
            <thead>
              <tr>
                <th scope="col">{t('time')}</th>
                <th scope="col">{t('operation')}</th>
                <th scope="col">{t('path')}</th>
                <th scope="col">{t('answer')}</th>
                <th scope="col">{t('latency')}</th>
              </tr>
            </thead>
            <tbody>
              {exchanges.map(exchange => (
                <tr key={exchange.id}>
                  <td class="numeric soft">{timeOf(exchange.at)}</td>
                  <th scope="row">{exchange.operation}</th>
                  <td class="mono small">
                    {exchange.method} {exchange.path}
                  </td>
                  <td class="answer-cell">
                    <Sign tone={exchange.headline.tone} />
                    <span class="numeric">{exchange.status ?? t('local')}</span>
                    <span class="hidden-text">{exchange.headline.text}</span>
                  </td>
                  <td class="numeric">{t('ms', { ms: exchange.ms })}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      {exchanges.length > 0 && <Chart />}
    </div>
  )
}

function Chart() {
  const rows = latencies(
    session.value.exchanges.map(({ operation, where, ms }) => ({
      operation: where === 'browser' ? `${operation} (wasm)` : operation,
      ms,
    })),
  )
  const longest = Math.max(...rows.map(row => row.median), 1)
  return (
    <section class="card stack" aria-labelledby="chart-title">
      <h2 id="chart-title">{t('chart')}</h2>
      <dl class="bars">
        {rows.map(({ operation, count, median, slowest }) => (
          <div key={operation}>
            <dt>{operation}</dt>
            <dd>
              <meter class="bar-line" min={0} max={longest} value={median} aria-label={operation} />
              <span class="small soft numeric">{t('chart_line', { count, median, slowest })}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
