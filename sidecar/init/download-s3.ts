import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
  type ListObjectsV2CommandInput,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3'
import { readCredential, readKey } from '../credentials.ts'
import { asAnswer, forEachOf, withRetries, type Download } from './download.ts'
import type { S3Source } from './config.ts'
import { InitError } from './init-error.ts'
import { partsOf } from './staging.ts'

/** Fetches the object of that key and all that lie below it, as below a directory: `data/a` is not the beginning of `data/abc`. */
export async function downloadS3({ bucket, key }: S3Source, download: Download): Promise<undefined> {
  const { staging, signal } = download
  const client = await clientFor(download)
  const list: List = (query) => client.send(new ListObjectsV2Command({ Bucket: bucket, ...query }), { abortSignal: signal }).catch(explain)
  try {
    await forEachOf(listObjects(list, key), ({ objectKey, path }) =>
      withRetries(signal, async () => {
        const command = new GetObjectCommand({ Bucket: bucket, Key: objectKey })
        const { Body: body } = await client.send(command, { abortSignal: signal }).catch(explain)
        if (!(body instanceof Readable)) throw new InitError(`S3 answered nothing for ${objectKey}`)
        await staging.save(path, body, signal)
      }),
    )
  } finally {
    client.destroy()
  }
}

async function clientFor({ agents, secretDirectory, secrets }: Download): Promise<S3Client> {
  const read = (name: string) => readCredential(secretDirectory, name, secrets)
  const [accessKeyId, secretAccessKey] = [await read('AWS_ACCESS_KEY_ID'), await read('AWS_SECRET_ACCESS_KEY')]
  if (!accessKeyId || !secretAccessKey) throw new InitError('the Secret must have the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  // These two are no secrets, and may be read in a message.
  const [region, endpoint] = [await readKey(secretDirectory, 'AWS_DEFAULT_REGION'), await readKey(secretDirectory, 'AWS_S3_ENDPOINT')]
  if (endpoint && !/^https?:\/\//.test(endpoint)) throw new InitError('AWS_S3_ENDPOINT in the Secret must begin with https:// or http://')
  const client = new S3Client({
    // What servers that have no regions expect.
    region: region ?? 'us-east-1',
    ...(endpoint && { endpoint }),
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 4,
    requestHandler: { httpAgent: agents.http, httpsAgent: agents.https, connectionTimeout: 10_000, socketTimeout: 60_000 },
  })
  // The client holds every answer whole, but an object.
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const answer = result.response as { statusCode: number; body: unknown } // of a type that is not published
        const isObject = commandName === 'GetObjectCommand' && answer.statusCode < 300
        if (!isObject && answer.body instanceof Readable) answer.body = Readable.from(asAnswer(answer.body))
        return result
      },
    { step: 'deserialize', name: 'asAnswer', priority: 'low' },
  )
  return client
}

type List = (query: Pick<ListObjectsV2CommandInput, 'Prefix' | 'MaxKeys' | 'ContinuationToken'>) => Promise<ListObjectsV2CommandOutput>

type Listed = { objectKey: string; path: string }

async function* listObjects(list: List, key: string): AsyncGenerator<Listed> {
  const directory = key.replace(/(?<!\/)\/*$/, '/')
  let found = 0
  if (!key.endsWith('/')) {
    // Of all keys with that beginning, the key itself is the first.
    const { Contents = [] } = await list({ Prefix: key, MaxKeys: 1 })
    if (Contents[0]?.Key === key) {
      found++
      yield { objectKey: key, path: key.split('/').at(-1) ?? key }
    }
  }
  let token: string | undefined
  do {
    const page = await list({ Prefix: directory, ...(token && { ContinuationToken: token }) })
    for (const { Key: objectKey } of page.Contents ?? []) {
      // A key that ends so stands for the directory itself.
      if (objectKey === undefined || objectKey.endsWith('/')) continue
      const path = objectKey.slice(directory.length)
      // Asked for, `..` would mean another object or bucket.
      partsOf(path)
      found++
      yield { objectKey, path }
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (token)
  if (found === 0) throw new InitError('nothing is there; name the key of an object, or of a directory of objects')
}

const HINTS: Record<string, string> = {
  NoSuchBucket: 'name a bucket that exists',
  AccessDenied: 'the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects',
  InvalidAccessKeyId: 'check AWS_ACCESS_KEY_ID in the Secret',
  SignatureDoesNotMatch: 'check AWS_SECRET_ACCESS_KEY in the Secret',
  PermanentRedirect: 'check AWS_S3_ENDPOINT and AWS_DEFAULT_REGION in the Secret',
  AuthorizationHeaderMalformed: 'check AWS_DEFAULT_REGION in the Secret',
}

/** The server's own words may name keys; its code does not. */
function explain(error: unknown): never {
  if (!(error instanceof S3ServiceException)) throw error
  const { name, $metadata } = error
  const status = $metadata.httpStatusCode ? ` (${$metadata.httpStatusCode})` : ''
  throw new InitError(`S3 answered ${name}${status}; ${HINTS[name] ?? 'check the endpoint, the bucket and the credentials'}`, {
    cause: error,
  })
}
