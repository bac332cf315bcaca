import type { Pool } from '#db/client.ts'
import { claimLaunches, type Claim, type Look } from '#db/commands/claim-launches.ts'

/** How often everything is looked at, and not only what changed; less often where that takes more than a thousandth of the time. */
const wholeLookMs = 30_000
const wholeLookMaxMs = 3_600_000

type Options = Omit<Parameters<typeof claimLaunches>[1], 'since'>

export type Claimer = {
  /** One at a time. */
  claim(options: Options): Promise<Claim[]>
  /** Makes the next claim look at everything. */
  forget(): void
}

/**
 * Claims from what the last claim has seen, and from everything once in a while, should the two ever differ. Remembers only that: forgetting it
 * costs one look at everything.
 */
export function createClaimer(db: Pool): Claimer {
  let since: Look | undefined
  let wholeLookAtMs = 0
  return {
    async claim(options) {
      const startedAtMs = performance.now()
      const isWhole = startedAtMs >= wholeLookAtMs
      const { claims, look } = await claimLaunches(db, { ...options, since: isWhole ? undefined : since })
      since = look
      const nowMs = performance.now()
      if (isWhole) wholeLookAtMs = nowMs + Math.min(Math.max(wholeLookMs, 1000 * (nowMs - startedAtMs)), wholeLookMaxMs)
      return claims
    },
    forget: () => void (wholeLookAtMs = 0),
  }
}
