// A named step of a run, and what must hold in it.

export async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  const began = Date.now()
  try {
    const result = await run()
    console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
    return result
  } catch (error) {
    console.log(`FAIL  ${name}`)
    throw error
  }
}

export function must(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`)
}
