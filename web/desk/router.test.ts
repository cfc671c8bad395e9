// Every address of the desk leads to its page and back.
import { expect, it } from 'vitest'
import { eventPath, newEventPath, placeOf, ticketPath } from './router.ts'

it('knows its addresses', () => {
  expect(placeOf('/desk/')).toEqual({ page: 'events' })
  expect(placeOf('/desk')).toEqual({ page: 'events' })
  expect(placeOf(newEventPath)).toEqual({ page: 'new_event' })
  expect(placeOf(eventPath('jazz'))).toEqual({ page: 'event', slug: 'jazz', section: 'live' })
  expect(placeOf(eventPath('new', 'devices'))).toEqual({ page: 'event', slug: 'new', section: 'devices' })
  expect(placeOf(eventPath('jazz', 'log'))).toEqual({ page: 'event', slug: 'jazz', section: 'log' })
  expect(placeOf(eventPath('jazz', 'sales'))).toEqual({ page: 'event', slug: 'jazz', section: 'sales' })
  expect(placeOf(ticketPath('jazz', '4F7K-92MM-QX'))).toEqual({
    page: 'ticket',
    slug: 'jazz',
    number: '4F7K-92MM-QX',
  })
})

it('knows what is not one', () => {
  for (const path of [
    '/desk/else',
    '/desk/events/a/other',
    '/desk/events/a/settings/b',
    '/desk/events/%E0%A4%A',
  ]) {
    expect(placeOf(path)).toEqual({ page: 'nowhere' })
  }
})
