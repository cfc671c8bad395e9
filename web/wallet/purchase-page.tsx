// A purchase on its way: it goes on by itself as far as it can, and says what it waits for.
import { useEffect, useRef, useState } from 'preact/hooks'
import { goOn, type Stop } from '../lib/anonymous/buyer.ts'
import { isUnpaid, type Purchase, type Token } from '../lib/anonymous/purchase.ts'
import { dropPurchase, getPurchase, listPurchases, listTokens } from '../lib/db/anonymous-db.ts'
import { Confirm } from '../lib/ui/confirm.tsx'
import { cameBack, justBegun } from './begin-purchase.ts'
import { b, bp } from './buy-texts.ts'
import { PurchaseSteps } from './purchase-steps.tsx'
import { payUrl, Stopped } from './purchase-stop.tsx'
import { TokenStub } from './token-stub.tsx'

/** How often a payment that may be on its way is asked for; its provider tells the server by itself. */
const LOOK_MS = 3_000
const LOOKS = 40

/** Coming back from paying: on with the newest purchase that waits for it. */
export function Returned({ paid }: { paid: boolean }) {
  const [none, setNone] = useState(false)
  useEffect(() => {
    listPurchases().then(
      all => {
        const waiting = all.filter(
          ({ provider, order, receipt }) => provider === 'STRIPE' && order && !receipt,
        )
        const newest = waiting.sort((one, other) => other.madeAt.localeCompare(one.madeAt))[0]
        if (!newest) return setNone(true)
        cameBack.set(newest.id, paid ? 'paid' : 'unpaid')
        location.replace(`#purchase=${newest.id}`)
      },
      () => setNone(true),
    )
  }, [])
  return none ? (
    <Gone title={b('none_waits')} hint={b('none_waits_hint')} />
  ) : (
    <p class="waiting">{b('loading')}</p>
  )
}

function Gone({ title = b('purchase_gone'), hint = b('purchase_gone_hint') }) {
  return (
    <div class="card stack">
      <h1>{title}</h1>
      <p class="soft">{hint}</p>
      <div>
        <a class="button" href="/ticket/">
          {b('your_tickets')}
        </a>
      </div>
    </div>
  )
}

export function PurchasePage({ id }: { id: string }) {
  const [purchase, setPurchase] = useState<Purchase | null>(null)
  const [stop, setStop] = useState<Stop | null>(null)
  const [made, setMade] = useState<Token[] | null>(null)
  const [looks, setLooks] = useState(0)
  const [leaving, setLeaving] = useState(false)
  const before = useRef<Set<string> | null>(null)
  const running = useRef(false)

  /** `quietly`: what is said stays until there is something else to say. */
  const run = async (quietly = false) => {
    if (running.current) return
    running.current = true
    if (!quietly) setStop(null)
    try {
      before.current ??= new Set((await listTokens()).map(({ number }) => number))
      const known = before.current
      const there = await getPurchase(id)
      const end = await goOn(id, setPurchase)
      if (end.why === 'done')
        setMade(there ? (await listTokens()).filter(({ number }) => !known.has(number)) : [])
      else if (end.why === 'pay' && justBegun.delete(id)) {
        const url = payUrl(await getPurchase(id))
        if (url) return location.assign(url)
      }
      setStop(end)
    } catch (error) {
      setStop({ why: 'broken' })
      throw error
    } finally {
      running.current = false
    }
  }
  useEffect(() => {
    document.title = b('purchase_title')
    void run()
    const again = () => void run()
    // Back from paying by the browser's own button: the page comes back as it was left.
    const shown = (event: PageTransitionEvent) => event.persisted && void run()
    addEventListener('online', again)
    addEventListener('pageshow', shown)
    return () => {
      removeEventListener('online', again)
      removeEventListener('pageshow', shown)
    }
  }, [id])

  // Whoever comes back from paying waits here for the provider's word, not for their own patience.
  const waits = stop?.why === 'pay' && cameBack.get(id) === 'paid' && looks < LOOKS
  useEffect(() => {
    if (!waits) return
    const timer = setTimeout(() => {
      setLooks(looks + 1)
      void run(true)
    }, LOOK_MS)
    return () => clearTimeout(timer)
  }, [waits, looks])

  if (made?.length === 0) return <Gone />
  if (made) return <Made tokens={made} />
  if (!purchase && stop) {
    return (
      <p class="notice bad" role="alert">
        {b('cannot_keep')}
      </p>
    )
  }
  if (!purchase) return <p class="waiting">{b('loading')}</p>
  return (
    <div class="card stack loose buy" data-purchase={stop?.why ?? 'going'}>
      <h1>{b('purchase_title')}</h1>
      <PurchaseSteps purchase={purchase} going={!stop} />
      <div aria-live="polite" class="stack">
        {stop && (
          <Stopped
            purchase={purchase}
            stop={stop}
            waits={waits}
            back={cameBack.get(id)}
            again={() => void run()}
          />
        )}
      </div>
      {stop && (
        <p>
          <button class="link-button" type="button" onClick={() => setLeaving(true)}>
            {b('give_up')}
          </button>
        </p>
      )}
      {leaving && (
        <Confirm
          title={b('give_up_title')}
          yes={b('give_up_yes')}
          no={b('give_up_no')}
          onNo={() => setLeaving(false)}
          onYes={() => {
            const again =
              purchase.event && isUnpaid(purchase) ? `buy=${encodeURIComponent(purchase.event)}` : ''
            void dropPurchase(id).then(() => location.replace(`#${again}`))
          }}
        >
          <p>{b('give_up_text')}</p>
        </Confirm>
      )}
    </div>
  )
}

function Made({ tokens }: { tokens: Token[] }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  return (
    <div class="stack loose" data-purchase="done">
      <div class="stack tight">
        <h1 ref={title} tabIndex={-1}>
          {bp('done_title', tokens.length)}
        </h1>
        <p role="status">{bp('done_hint', tokens.length)}</p>
        <p class="soft">{b('only_here')}</p>
      </div>
      <ul class="plain stack">
        {tokens.map(token => (
          <li key={token.number} class="stub-lift">
            <TokenStub token={token} />
          </li>
        ))}
      </ul>
      <div class="row">
        <a class="button quiet" href="#backup">
          {b('backup')}
        </a>
        <a class="button quiet" href="/ticket/">
          {b('your_tickets')}
        </a>
      </div>
    </div>
  )
}
