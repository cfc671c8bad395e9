// Times as people say them, always in the event's named zone and never in the reader's own by accident.

const LOCALE = 'en-GB'

type Options = Intl.DateTimeFormatOptions
const made = new Map<string, Intl.DateTimeFormat>()

/** The formatter for a zone; one that this browser does not know is shown in UTC. */
export function format(zone: string, options: Options): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options)
  let formatter = made.get(key)
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: isZone(zone) ? zone : 'UTC' })
    made.set(key, formatter)
  }
  return formatter
}

export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat(LOCALE, { timeZone: zone })
    return zone !== ''
  } catch {
    return false
  }
}

export const timeIn = (zone: string, at: string) =>
  format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(at))

export const preciseTimeIn = (zone: string, at: string) =>
  format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(
    new Date(at),
  )

export const dayIn = (zone: string, at: string) =>
  format(zone, { weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' }).format(new Date(at))

export const dayPartsIn = (zone: string, at: string) => {
  const date = new Date(at)
  return {
    weekday: format(zone, { weekday: 'short' }).format(date),
    day: format(zone, { day: 'numeric' }).format(date),
    month: format(zone, { month: 'short' }).format(date),
  }
}

export const momentIn = (zone: string, at: string) => `${dayIn(zone, at)}, ${timeIn(zone, at)}`

/** "Berlin time (GMT+1)" for the given moment. */
export function zoneLabel(zone: string, at: string): string {
  const city = zone.split('/').at(-1)?.replaceAll('_', ' ') ?? zone
  const part = format(zone, { timeZoneName: 'shortOffset' })
    .formatToParts(new Date(at))
    .find(candidate => candidate.type === 'timeZoneName')
  return city === 'UTC' ? 'UTC' : `${city} time (${part?.value ?? 'UTC'})`
}
