// One tab owns the station: two that wrote one journal would each number their entries alone.

const NAME = 'admit-gate'

export class TabLock {
  #release: (() => void) | null = null
  readonly #channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel(NAME) : null

  /** `asked`: another tab wants the station; what it does must be over before its promise is. */
  constructor(asked: () => Promise<void>) {
    this.#channel?.addEventListener('message', () => {
      if (this.#release) void asked().finally(() => this.release())
    })
  }

  get owned(): boolean {
    return this.#release !== null
  }

  /** Owned when it returns. `waiting` is called when another tab has it, and this one stands in line. */
  async own(waiting: () => void): Promise<void> {
    if (this.#release || !navigator.locks) return
    if (await this.#request({ ifAvailable: true })) return
    waiting()
    await this.#request({})
  }

  /** Asks the tab that has it to let it go. */
  demand(): void {
    this.#channel?.postMessage('give way')
  }

  release(): void {
    this.#release?.()
    this.#release = null
  }

  #request(options: LockOptions): Promise<boolean> {
    return new Promise((settle, fail) => {
      navigator.locks
        .request(NAME, options, lock => {
          settle(lock !== null)
          if (!lock) return undefined
          return new Promise<void>(release => {
            this.#release = release
          })
        })
        .catch(fail)
    })
  }
}
