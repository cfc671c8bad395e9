// What one scanner packs, the other unpacks, in any order of the parts; a stranger's code fills no memory.
import { deflateRawSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { base45, fromBase45, Gathering, pack, partOf, partsOf, unpack } from './packing.ts'

const list = `admit-one/spent/v1\nevent 7\ndevice 12\n${'1 2 1800000000000 4e18200f\n'.repeat(90)}`

it('agrees with RFC 9285', () => {
  expect(base45(new TextEncoder().encode('Hello!!'))).toBe('%69 VD92EX0')
  expect(base45(new TextEncoder().encode('ietf!'))).toBe('QED8WEX0')
  expect(new TextDecoder().decode(fromBase45('QED8WEX0'))).toBe('ietf!')
})

it.each(['a', 'GGW', 'ab', ':::'])('refuses %s', text => {
  expect(() => fromBase45(text)).toThrow()
})

it('reads back in parts of any order, shown again and again', async () => {
  const parts = partsOf('P:', (await pack(list)).repeat(20))
  expect(parts.length).toBeGreaterThan(2)
  for (const part of parts) {
    expect(part.length).toBeLessThan(600)
    expect(part.trim()).toBe(part)
  }
  const gathering = new Gathering()
  const shuffled = [...parts.slice(1), ...parts.slice(1), parts[0] ?? '']
  const wholes = shuffled.map(code => {
    const part = partOf('P:', code)
    return part && gathering.take(part)
  })
  expect(wholes.slice(0, -1).every(whole => whole === null)).toBe(true)
  expect(wholes.at(-1)).toBe((await pack(list)).repeat(20))
})

it('unpacks what it packed', async () => {
  expect(await unpack(await pack(list))).toBe(list)
})

it('does not unpack a bomb', async () => {
  const bomb = base45(deflateRawSync(Buffer.alloc(50_000_000)))
  await expect(unpack(bomb)).rejects.toThrow('too long')
})

it('takes no other code for a part', () => {
  for (const code of ['A1:X', 'P:', 'P:1/2', 'P:x/2:a', 'P:12345/2:a']) expect(partOf('P:', code)).toBeNull()
})

it('never ends in a space, which a reader would trim', () => {
  const packed = base45(new Uint8Array(4_000).map((_, index) => index * 37))
  for (const part of partsOf('P:', packed)) expect(part.trim()).toBe(part)
})
