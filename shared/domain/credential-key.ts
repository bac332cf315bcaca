/** As keys of Secrets are written. */
const CREDENTIAL = /^(?=[-.\w]{1,253}$)(?:(?<service>.+)_)?(?:api-key|(?<=_)sa_token)$/

/**
 * Whether a key of a model's Secret names a credential, `api-key`, `<service>_api-key` or `<service>_sa_token`, and under which key the address is that it is
 * for: `judge_url` for `judge_api-key`. Without such a key, or with nothing under it, a credential is for the model. Undefined for other keys.
 */
export function readCredentialKey(key: string): { urlKey?: string } | undefined {
  const found = CREDENTIAL.exec(key)
  const service = found?.groups?.service
  return found ? { ...(service !== undefined && { urlKey: `${service}_url` }) } : undefined
}
