import { z } from 'zod'

/**
 * What the bridge tells a run's sidecar, as `/meta/sidecar_config.json`. No secret is in it.
 *
 * Source: section 9.4 of the published contract, without its local mode. `tenant` and `run_token_path` are ours.
 */
export const SidecarConfig = z.object({
  /** Where the adapter finds the sidecar. Only its port is used: the sidecar listens on loopback. */
  base_url: z.url().default('http://localhost:8080'),
  /** Tenant of the run, which goes with every event. */
  tenant: z.string(),
  /** File with the run token, which goes with every event and to nobody else. */
  run_token_path: z.string(),
  eval_hub: z.object({
    /** Base of the API, without a path. */
    base_url: z.url(),
    /** Its address is a gateway's, which leads to models too: what leads to it is known by its name only. */
    is_behind_gateway: z.boolean().optional(),
    /** Where the hub is to be had besides; nothing of a user leads there. */
    other_urls: z.array(z.url()).optional(),
    /** PEM file of authorities that are trusted beside the known ones. */
    ca_cert_path: z.string().optional(),
  }),
  /** Absent: no MLflow is configured. */
  mlflow: z
    .object({
      tracking_uri: z.url(),
      /** File with the token that MLflow is asked with, read again whenever it changes. */
      token_path: z.string().optional(),
      workspace: z.string().optional(),
      ca_cert_path: z.string().optional(),
    })
    .optional(),
  oci: z
    .object({
      /** PEM file of authorities that are trusted for the registry beside the known ones. */
      ca_cert_path: z.string().optional(),
    })
    .optional(),
  /** Absent: the run has no model (pre-recorded data). */
  model: z
    .object({
      /** The endpoint itself, as the request named it. */
      url: z.url(),
      /** Directory of the model's Secret; absent if the request named none. */
      auth_secret_mount_path: z.string().optional(),
      /** Networks in CIDR notation that models may be in; absent: all but those that nothing of a user may reach. */
      allowed_ranges: z.array(z.string()).optional(),
    })
    .optional(),
  /** `is_git_job`: the commit of the test data is to be reported with the run's events; data sets of Hugging Face have one too. */
  init_container: z.object({ is_git_job: z.boolean() }).optional(),
})
export type SidecarConfig = z.infer<typeof SidecarConfig>
