import { z } from 'zod'
import type { Quotas } from '#shared/domain/quota.ts'
import { IdentityConfig } from './identity-config.ts'
import type { Identity } from './identity/identity.ts'
import { QuotaConfig } from './quota-config.ts'

/** Static files of the deployment, as Workers bind them. */
type Assets = { fetch: (url: string) => Promise<Response> }

const Bindings = z
  .object({
    /** Read at each request: what it names is the runtime's, not ours. */
    HYPERDRIVE: z.custom<{ connectionString: string }>((value) => typeof value === 'object' && value !== null).optional(),
    /** A pooler or a server that Workers reach without Hyperdrive. */
    DATABASE_URL: z.string().min(1).optional(),
    ASSETS: z.custom<Assets>((value) => typeof value === 'object' && value !== null, 'must be bound to the files of swagger-ui-dist'),
  })
  .refine(({ HYPERDRIVE, DATABASE_URL }) => HYPERDRIVE ?? DATABASE_URL, {
    path: ['HYPERDRIVE'],
    message: 'must be bound, or DATABASE_URL set',
  })

export type WorkerConfig = {
  identity: Identity
  /** Of each tenant; undefined where there are no identities. */
  quotas: Quotas | undefined
  /** Hyperdrive's address if it is bound, else `DATABASE_URL`. */
  databaseUrl: () => string
  assets: Assets
}

/** Behind a proxy that is believed, run tokens need a way in of their own. */
const ONE_PORT =
  'IDENTITY_MODE must be oidc, or none on your own machine: headers needs a port of its own for run tokens, and a Worker has one'

/** What a Worker is bound to. Throws one line that names every mistake, and no value. */
export function readWorkerConfig(env: unknown): WorkerConfig {
  const bindings = Bindings.safeParse(env)
  const identity = IdentityConfig.safeParse(env)
  const quotas = QuotaConfig.safeParse(env)
  const issues = [bindings, identity, quotas].flatMap(({ error }) => error?.issues ?? [])
  const mistakes = issues.map(({ path, message }) => `${path.join('.')} ${message}`)
  if (identity.data?.mode === 'headers') mistakes.push(ONE_PORT)
  if (!bindings.success || !identity.success || !quotas.success || mistakes.length > 0)
    throw new Error(`The Worker's bindings are wrong: ${mistakes.join('; ')}`)
  const { HYPERDRIVE, DATABASE_URL = '', ASSETS } = bindings.data
  return {
    identity: identity.data,
    quotas: identity.data.mode === 'none' ? undefined : quotas.data,
    databaseUrl: () => HYPERDRIVE?.connectionString ?? DATABASE_URL,
    assets: ASSETS,
  }
}
