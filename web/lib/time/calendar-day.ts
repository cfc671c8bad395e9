// A calendar day in words.
import { dayIn } from './zone.ts'

/** It is the same day everywhere: noon in UTC is in it. */
export const dayText = (day: string): string => dayIn('UTC', `${day}T12:00:00Z`)
