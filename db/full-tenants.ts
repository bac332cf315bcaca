import type { Excess } from '#shared/domain/quota.ts'

/** For how long nothing of a tenant that has used up a quota fits, but for what others give back meanwhile. */
const FULL_MS = 1000

/**
 * Tenants of which nothing would be taken at the moment, so that they are refused before anything is done for them: whoever submits on and on would
 * else keep the database busy with being refused.
 */
export type FullTenants = {
  /** What the tenant was last refused with, while that holds. */
  find: (tenant: string) => Excess | undefined
  note: (tenant: string, excess: Excess) => void
}

export function createFullTenants(nowMs = () => performance.now()): FullTenants {
  const full = new Map<string, { excess: Excess; sinceMs: number; untilMs: number }>()

  return {
    find(tenant) {
      const known = full.get(tenant)
      if (!known) return undefined
      const now = nowMs()
      if (now >= known.untilMs) {
        full.delete(tenant)
        return undefined
      }
      return { ...known.excess, waitSeconds: Math.ceil(known.excess.waitSeconds - (now - known.sinceMs) / 1000) }
    },
    note(tenant, excess) {
      // A smaller job may still fit.
      if (excess.used < excess.allowed) return
      const sinceMs = nowMs()
      const forMs = excess.quota === 'jobs_per_minute' ? excess.waitSeconds * 1000 : FULL_MS
      full.set(tenant, { excess, sinceMs, untilMs: sinceMs + forMs })
    },
  }
}
