// The inclusion path as a picture: the leaf at the bottom, what it is hashed with on each level, the root on top.
import { useEffect, useState } from 'preact/hooks'
import type { MerkleValidation } from '../lib/api/types.ts'
import { headOf } from './checkpoint.ts'
import { t } from './texts.ts'
import { climb, type Rung } from './tree.ts'
import { Sign } from './ui.tsx'

const WIDTH = 376
const APART = 128
const STEP = 62
const BOX = { width: 104, height: 34 }
const middle = WIDTH / 2
const letters = (hash: string) => `${hash.slice(0, 8)}…`

export function TreePicture({ proof }: { proof: MerkleValidation }) {
  const [way, setWay] = useState<{ leaf: string; rungs: Rung[] } | null>(null)
  const head = headOf(proof.checkpoint)
  useEffect(() => {
    let current = true
    climb(proof.leaf, proof.inclusion_index, head?.size ?? proof.tree_size, proof.inclusion_path).then(
      made => current && setWay(made),
      () => current && setWay(null),
    )
    return () => {
      current = false
    }
  }, [proof])
  if (!way) return null
  const { leaf, rungs } = way
  const top = rungs.at(-1)?.hash ?? leaf
  const height = rungs.length * STEP + BOX.height + 30
  const yOf = (level: number) => height - BOX.height - 15 - level * STEP
  const same = head?.root === top
  return (
    <figure class="tree">
      <svg
        viewBox={`0 0 ${WIDTH} ${height}`}
        role="img"
        aria-label={t('tree_alt', { count: rungs.length, hash: letters(leaf), root: letters(top) })}
      >
        {rungs.map(({ sibling, side }, level) => {
          const x = side === 'left' ? middle - APART : middle + APART
          const [from, to] = [yOf(level), yOf(level + 1) + BOX.height]
          return (
            <g key={sibling + String(level)}>
              <path class="edge" d={`M${middle} ${from}V${to}`} />
              <path class="edge" d={`M${x} ${from}C${x} ${to + 4} ${middle} ${from - 4} ${middle} ${to}`} />
              <Box x={x} y={from} hash={sibling} kind="given" />
            </g>
          )
        })}
        <Box x={middle} y={yOf(0)} hash={leaf} kind="leaf" />
        {rungs.map(({ hash }, level) => (
          <Box
            key={hash}
            x={middle}
            y={yOf(level + 1)}
            hash={hash}
            kind={level === rungs.length - 1 ? (same ? 'root' : 'root wrong') : 'made'}
          />
        ))}
      </svg>
      <figcaption class="small">
        <p class="legend">
          <span class="key leaf">{t('tree_leaf')}</span>
          <span class="key given">{t('tree_given')}</span>
          <span class="key made">{t('tree_made')}</span>
          <span class="key root">{t('tree_root')}</span>
        </p>
        <p class="proof-line">
          <Sign tone={same ? 'good' : 'bad'} />
          <span>{same ? t('root_same') : t('root_other')}</span>
        </p>
      </figcaption>
    </figure>
  )
}

function Box({ x, y, hash, kind }: { x: number; y: number; hash: string; kind: string }) {
  return (
    <g class={`node ${kind}`}>
      <rect x={x - BOX.width / 2} y={y} width={BOX.width} height={BOX.height} rx="6" />
      <text x={x} y={y + 22} text-anchor="middle">
        {letters(hash)}
      </text>
    </g>
  )
}
