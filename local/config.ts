import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { LOOPBACK_ADDRESS } from '#functions/config.ts'
import { AddressRanges, Count, DatabaseUrl, HttpUrl, Port } from '#shared/models/setting.ts'

/** Names of the environment that only the hub reads, its database's driver included. No adapter gets them. */
export const HUB_VARIABLES = ['DATABASE_URL', 'PGPASSWORD']

export const USAGE = `Usage: npm start -- [options]

  --port N                    port to listen on, 0 for any free one (default 8080)
  --host ADDRESS              loopback address to listen on (default: 127.0.0.1, and ::1 where it exists)
  --max-parallel N            benchmark runs at once (default: twice the cores, at least 4)
  --data-dir DIR              where the database and the runs' files are (default .evalhub)
  --catalogue DIR             adds DIR/providers/*.yaml and DIR/collections/*.yaml; may be repeated
  --allow-path DIR            lets jobs name files in DIR, as dataset or secret_ref; may be repeated. Without it they may in
                              the working directory, the catalogues and the data directory, but for runs and database
  --test-data-ranges RANGES   address ranges such as 127.0.0.1/32,10.1.0.0/16 from which test data may come though they are not
                              public; private ones need no leave for S3 and Hugging Face
  --log-requests              logs each request, a line of JSON
  --allow-provider-commands   lets providers that were created over the API name commands to run here
  --help                      prints this

  DATABASE_URL=postgres://…   uses that database instead of the embedded one
  HF_ENDPOINT=https://…       takes test data from that Hugging Face hub instead of the public one
`

const Options = z.object({
  port: Port,
  host: z
    .string()
    .regex(LOOPBACK_ADDRESS, 'must be a loopback address: a hub without identities answers on its own machine only')
    .optional(),
  'max-parallel': Count.optional(),
  'data-dir': z.string().min(1),
  catalogue: z.array(z.string().min(1)).default([]),
  'allow-path': z.array(z.string().min(1)).default([]),
  'allow-provider-commands': z.boolean(),
  'test-data-ranges': AddressRanges,
  'log-requests': z.boolean(),
})

export type HubConfig = {
  port: number
  /** Undefined: 127.0.0.1, and ::1 where it exists. */
  host?: string
  /** Runs at once. */
  maxParallel: number
  /** Absolute. */
  dataDir: string
  /** The operator's catalogues, absolute, in order. */
  catalogues: string[]
  /** Folders, absolute, in which jobs may name files, beside those that are the hub's own. */
  allowPaths: string[]
  allowProviderCommands: boolean
  /** Address ranges from which test data may come though they are not public. */
  testDataRanges?: readonly string[]
  /** Hugging Face hub that test data come from; the public one unless told. */
  huggingFaceEndpoint?: string
  /** Whether each request is logged; not unless told. */
  logRequests?: boolean
  /** The hub's own, which adapters inherit but for `HUB_VARIABLES`. */
  environment: Readonly<Record<string, string | undefined>>
  /** Undefined: the embedded database. */
  databaseUrl?: string
}

/** What `npm start` shall do, by its arguments and environment. Throws one line that names every mistake. */
export function readHubConfig(argv: string[], env: Record<string, string | undefined> = process.env): HubConfig | 'help' {
  const { values } = parseArgs({
    args: argv,
    options: {
      port: { type: 'string', default: '8080' },
      host: { type: 'string' },
      'max-parallel': { type: 'string' },
      'data-dir': { type: 'string', default: '.evalhub' },
      catalogue: { type: 'string', multiple: true },
      'allow-path': { type: 'string', multiple: true },
      'allow-provider-commands': { type: 'boolean', default: false },
      'test-data-ranges': { type: 'string', default: '' },
      'log-requests': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const result = Options.safeParse(values)
  const databaseUrl = DatabaseUrl.optional().safeParse(env.DATABASE_URL || undefined)
  const huggingFace = HttpUrl.optional().safeParse(env.HF_ENDPOINT || undefined)
  if (!result.success || !databaseUrl.success || !huggingFace.success) {
    const ofOptions = result.error?.issues.map(({ path, message }) => `--${path.join('.')} ${message}`) ?? []
    const ofUrl = databaseUrl.error?.issues.map(({ message }) => `DATABASE_URL ${message}`) ?? []
    const ofHuggingFace = huggingFace.error?.issues.map(({ message }) => `HF_ENDPOINT ${message}`) ?? []
    throw new Error([...ofOptions, ...ofUrl, ...ofHuggingFace].join('; '))
  }
  const options = result.data
  return {
    port: options.port,
    ...(options.host !== undefined && { host: options.host }),
    maxParallel: options['max-parallel'] ?? defaultParallel(),
    dataDir: resolve(options['data-dir']),
    catalogues: options.catalogue.map((directory) => resolve(directory)),
    allowPaths: options['allow-path'].map((folder) => resolve(folder)),
    allowProviderCommands: options['allow-provider-commands'],
    testDataRanges: options['test-data-ranges'],
    ...(huggingFace.data !== undefined && { huggingFaceEndpoint: huggingFace.data }),
    logRequests: options['log-requests'],
    environment: env,
    ...(databaseUrl.data !== undefined && { databaseUrl: databaseUrl.data }),
  }
}

/** Adapters mostly wait for a model, so more of them than cores. */
export const defaultParallel = (): number => Math.max(4, 2 * availableParallelism())
