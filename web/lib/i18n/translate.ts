// Texts for people: a table per app area, a typed t() that knows which {holes} a text has, and plural forms by Intl.

type Holes<Text extends string> = Text extends `${string}{${infer Hole}}${infer Rest}`
  ? Hole | Holes<Rest>
  : never
type Values<Text extends string> = [Holes<Text>] extends [never]
  ? []
  : [values: Record<Holes<Text>, string | number>]

const fill = (text: string, values: Record<string, string | number> = {}) =>
  text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole))

const plurals = new Intl.PluralRules('en')

/** English is the source table. A translation is another table of the same keys, set by `use`. */
export function translator<const Table extends Record<string, string>>(english: Table) {
  let table: Record<string, string> = english
  return {
    t: <Key extends keyof Table & string>(key: Key, ...values: Values<Table[Key]>): string =>
      fill(table[key] ?? english[key] ?? key, values[0]),
    /** "1 ticket", "2 tickets": the text has its forms divided by a bar, and {count} in each. */
    plural: (key: keyof Table & string, count: number): string => {
      const [one = '', other = one] = (table[key] ?? '').split('|')
      return fill(plurals.select(count) === 'one' ? one : other, { count: count.toLocaleString('en-GB') })
    },
    use: (translation: Partial<Record<keyof Table & string, string>>) => {
      table = { ...english, ...translation }
    },
  }
}
