// Times of today, to the second, in the reader's own zone.

const format = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

export const timeOf = (at: string): string => format.format(new Date(at))
