import { z } from 'zod'
import { isConfidential } from '#shared/domain/confidential-url.ts'
import { Names, RunTokenKey } from '#shared/models/setting.ts'
import type { Identity } from './identity/identity.ts'

const SafeUrl = z
  .string('is required: the address of the issuer')
  .refine(isConfidential, 'must be an https URL, or an http one of this machine')

/** Whoever sets these means that a proxy guards the hub, which no other mode sees to. */
const noProof = z.never('is for IDENTITY_MODE=headers: in other modes leave it out').optional()
const NO_PROXY = { PROXY_SECRET: noProof, PROXY_CA_FILE: noProof }

/** The environment of mode `none` reads no other setting. */
const None = z
  .object({ IDENTITY_MODE: z.literal('none'), RUN_TOKEN_KEY: RunTokenKey.optional(), ...NO_PROXY })
  .transform(({ RUN_TOKEN_KEY: key }): Identity => ({ mode: 'none', ...(key !== undefined && { runTokenKey: key }) }))

/** What a header can carry, and nobody can guess. */
const ProxySecret = z.string().regex(/^[\x21-\x7e]{32,}$/, 'must have 32 or more visible ASCII characters')

const Headers = z
  .object({
    IDENTITY_MODE: z.literal('headers'),
    RUN_TOKEN_KEY: RunTokenKey,
    IDENTITY_REPORTERS: Names.prefault(''),
    PROXY_SECRET: ProxySecret.optional(),
  })
  .transform((env): Identity => ({
    mode: 'headers',
    runTokenKey: env.RUN_TOKEN_KEY,
    reporters: env.IDENTITY_REPORTERS,
    ...(env.PROXY_SECRET !== undefined && { proxySecret: env.PROXY_SECRET }),
  }))

const Oidc = z
  .object({
    IDENTITY_MODE: z.literal('oidc'),
    RUN_TOKEN_KEY: RunTokenKey,
    OIDC_ISSUER: SafeUrl,
    OIDC_AUDIENCE: z.string('is required: what tokens for this hub name as their audience').min(1, 'must not be empty'),
    OIDC_JWKS_URL: SafeUrl.optional(),
    OIDC_USER_CLAIM: z.string().min(1).default('sub'),
    OIDC_TENANT_CLAIM: z.string().min(1).default('tenants'),
    OIDC_SCOPE_CLAIM: z.string().min(1).optional(),
    OIDC_DEFAULT_SCOPE: z.enum(['read', 'write'], 'must be read or write').optional(),
    ...NO_PROXY,
  })
  .transform((env): Identity => ({
    mode: 'oidc',
    runTokenKey: env.RUN_TOKEN_KEY,
    oidc: {
      issuer: env.OIDC_ISSUER,
      audience: env.OIDC_AUDIENCE,
      ...(env.OIDC_JWKS_URL !== undefined && { jwksUrl: env.OIDC_JWKS_URL }),
      userClaim: env.OIDC_USER_CLAIM,
      tenantClaim: env.OIDC_TENANT_CLAIM,
      scopeClaims: env.OIDC_SCOPE_CLAIM === undefined ? ['scope', 'scp'] : [env.OIDC_SCOPE_CLAIM],
      ...(env.OIDC_DEFAULT_SCOPE !== undefined && { defaultScope: env.OIDC_DEFAULT_SCOPE }),
    },
  }))

/** Environment → `Identity`. The mode has no default: a hub that nobody guards must be asked for by name. */
export const IdentityConfig = z.discriminatedUnion('IDENTITY_MODE', [None, Headers, Oidc], 'is required, and must be none, headers or oidc')
