// Copies the fonts that tickets on paper are set in to dist/fonts/; the server embeds and subsets them, no browser loads them.
import { copyFile, mkdir } from 'node:fs/promises'

const fonts = [
  ['noto-sans/400Regular/NotoSans_400Regular.ttf', 'NotoSans-Regular.ttf'],
  ['noto-sans/700Bold/NotoSans_700Bold.ttf', 'NotoSans-Bold.ttf'],
  ['noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf', 'NotoSansArabic-Regular.ttf'],
  ['noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf', 'NotoSansHebrew-Regular.ttf'],
  ['noto-sans-thai/400Regular/NotoSansThai_400Regular.ttf', 'NotoSansThai-Regular.ttf'],
  ['noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf', 'NotoSansSC-Regular.ttf'],
  ['noto-sans-kr/400Regular/NotoSansKR_400Regular.ttf', 'NotoSansKR-Regular.ttf'],
  ['noto-emoji/400Regular/NotoEmoji_400Regular.ttf', 'NotoEmoji-Regular.ttf'],
  ['noto-sans/LICENSE_FONT', 'OFL.txt'],
]

const out = new URL('../dist/fonts/', import.meta.url)
await mkdir(out, { recursive: true })
for (const [from, to] of fonts) {
  await copyFile(new URL(`../node_modules/@expo-google-fonts/${from}`, import.meta.url), new URL(to, out))
}
console.log(`copied ${fonts.length - 1} fonts and their licence to dist/fonts/`)
