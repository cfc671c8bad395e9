// A gate's question reads the same from its QR and from its digits, and nothing else passes for one.
import { expect, it } from 'vitest'
import { askDigits, askText, readAsk, typedAsk } from './ask.ts'

const ask = { gate: 3, nonce: Uint8Array.from([0, 1, 2, 3, 0xfb, 0xff, 0xfe, 0xff]) }

it('comes back from its text and from its digits', () => {
  expect(askText(ask)).toBe('A1ASK:3:AAECA_v__v8')
  expect(readAsk('A1ASK:3:AAECA_v__v8')).toEqual(ask)
  expect(askDigits(ask)).toBe('0001 0203 fbff feff')
  expect(typedAsk(' 3 ', '0001 0203-FBFF feff')).toEqual(ask)
})

it('is nothing else', () => {
  for (const text of ['', 'R1:ABC', 'A1ASK:3:AAECA_v__v', 'A1ASK:70000:AAECA_v__v8', 'A1ASK::AAECA_v__v8'])
    expect(readAsk(text)).toBeNull()
  expect(typedAsk('', '0001 0203 fbff feff')).toBeNull()
  expect(typedAsk('65536', '0001 0203 fbff feff')).toBeNull()
  expect(typedAsk('3', '0001 0203 fbff fe')).toBeNull()
  expect(typedAsk('3', '0001 0203 fbff fegg')).toBeNull()
})
