// Times in the event's zone, across the hour changes.
import { describe, expect, it } from 'vitest'
import { momentOf, wallClock } from './wall-clock.ts'
import { momentIn, timeIn, zoneLabel } from './zone.ts'

describe('showing a time', () => {
  it('uses the zone it is given', () => {
    expect(timeIn('Europe/Berlin', '2026-11-21T18:00:00.000Z')).toBe('19:00')
    expect(timeIn('Asia/Kathmandu', '2026-11-21T18:00:00.000Z')).toBe('23:45')
  })
  it('names the day of the zone, not of UTC', () => {
    expect(momentIn('Pacific/Auckland', '2026-11-21T18:00:00.000Z')).toMatch(/^Sun.*22 November 2026, 07:00$/)
  })
  it('never writes 24:00', () => {
    expect(timeIn('UTC', '2026-11-21T00:00:00.000Z')).toBe('00:00')
    expect(wallClock('UTC', '2026-11-21T00:00:00.000Z')).toBe('2026-11-21T00:00')
  })
  it('tells the offset of that day', () => {
    expect(zoneLabel('Europe/Berlin', '2026-11-21T18:00:00Z')).toBe('Berlin time (GMT+1)')
    expect(zoneLabel('Europe/Berlin', '2026-07-21T18:00:00Z')).toBe('Berlin time (GMT+2)')
    expect(zoneLabel('America/New_York', '2026-07-21T18:00:00Z')).toBe('New York time (GMT-4)')
  })
  it('falls back to UTC for a zone this browser does not know', () => {
    expect(timeIn('Mars/Olympus', '2026-11-21T18:00:00.000Z')).toBe('18:00')
  })
})

describe('reading a wall clock', () => {
  it('goes there and back', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'UTC']) {
      for (const at of ['2026-01-15T12:30:00.000Z', '2026-07-15T23:59:00.000Z', '2026-10-25T03:30:00.000Z']) {
        expect(momentOf(zone, wallClock(zone, at))).toBe(at)
      }
    }
  })
  it('moves an hour that does not exist to after the jump', () => {
    expect(momentOf('Europe/Berlin', '2026-03-29T02:30')).toBe('2026-03-29T01:30:00.000Z')
  })
  it('takes the first of two equal hours', () => {
    expect(momentOf('Europe/Berlin', '2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z')
  })
  it('refuses what is not a time', () => {
    expect(momentOf('UTC', '')).toBeNull()
    expect(momentOf('UTC', '2026-13-99T99:99')).toBeNull()
  })
})
