import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { parseUrl } from '#shared/domain/url-problem.ts'
import { readCredential } from '../credentials.ts'
import { asAnswer, forEachOf, withRetries, type Download } from './download.ts'
import { request, type Answer } from './guarded-request.ts'
import type { HuggingFaceSource } from './config.ts'
import { InitError } from './init-error.ts'
import { partsOf } from './staging.ts'

const Revision = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) })
const Page = z.array(z.object({ type: z.string(), path: z.string() }))

const pagesMax = 10_000

/** Fetches the files of a dataset repository, all of one commit, also if its branch moves meanwhile; the commit is the answer. */
export async function downloadHf(source: HuggingFaceSource, download: Download): Promise<string> {
  const { staging, signal } = download
  const { endpoint, repoId, revision, subPath } = source
  const ask = await createAsk(source, download)
  const dataset = encoded(repoId)
  const top = subPath.replace(/^\/+|(?<!\/)\/+$/g, '')

  const readPage = <Shape>(url: string, shape: z.ZodType<Shape>) => withRetries(signal, async () => readJson(await ask(url), shape))

  const { body } = await readPage(`${endpoint}/api/datasets/${dataset}/revision/${encodeURIComponent(revision)}`, Revision)
  const { sha } = body
  const below = top === '' ? '' : `/${encoded(top)}`
  let found = 0
  await forEachOf(listFiles(`${endpoint}/api/datasets/${dataset}/tree/${sha}${below}?recursive=true`, readPage), async (path) => {
    if (top !== '' && !path.startsWith(`${top}/`)) throw new InitError(`sub_path ${subPath} is no directory of the repository`)
    found++
    await withRetries(signal, async () => {
      const file = await ask(`${endpoint}/datasets/${dataset}/resolve/${sha}/${encoded(path)}`)
      await staging.save(top === '' ? path : path.slice(top.length + 1), file.body, signal)
    })
  })
  if (found === 0) throw new InitError('no file is there; check sub_path and revision')
  return sha
}

type Ask = (url: string) => Promise<Answer>

/** The token goes to the endpoint only, not to where that redirects. */
async function createAsk({ endpoint, subPath }: HuggingFaceSource, { agents, signal, secretDirectory, secrets }: Download): Promise<Ask> {
  const token = await readCredential(secretDirectory, 'hf-token', secrets)
  const { origin } = new URL(endpoint)
  const authorization = token === undefined ? undefined : { origin, value: `Bearer ${token}` }
  return async (url) => {
    const answer = await request(new URL(url), { agents, signal, authorization })
    if (answer.status === 200) return answer
    answer.body.destroy()
    throw refusal(answer, { hasToken: token !== undefined, subPath })
  }
}

function refusal({ status, url }: Answer, { hasToken, subPath }: { hasToken: boolean; subPath: string }): Error {
  const words = `${url.host} answered ${status}`
  if (status === 404)
    return new InitError(
      `${words}; check repo_id and revision${subPath && ', and sub_path'}, or name a Secret if the dataset is not public`,
    )
  if (status === 401 || status === 403) {
    const hint = hasToken ? 'check hf-token in the Secret, and that it may read this dataset' : 'name a Secret with the key hf-token'
    return new InitError(`${words}; ${hint}`)
  }
  // What may be otherwise the next time.
  return status === 429 || status >= 500 ? new Error(words) : new InitError(words)
}

type ReadPage = <Shape>(url: string, shape: z.ZodType<Shape>) => Promise<{ body: Shape; next: string | undefined }>

async function* listFiles(first: string, readPage: ReadPage): AsyncGenerator<string> {
  let url: string | undefined = first
  for (let pages = 0; url !== undefined; pages++) {
    if (pages === pagesMax) throw new InitError(`the list of files has more than ${pagesMax} pages; name a smaller part with sub_path`)
    const { body, next }: { body: z.infer<typeof Page>; next: string | undefined } = await readPage(url, Page)
    for (const { type, path } of body) if (type === 'file') yield path
    url = next
  }
}

async function readJson<Shape>(answer: Answer, shape: z.ZodType<Shape>): Promise<{ body: Shape; next: string | undefined }> {
  const result = shape.safeParse(parsed(await text(asAnswer(answer.body))))
  if (!result.success) throw new InitError(`${answer.url.host} does not answer as a dataset hub; check the endpoint`)
  return { body: result.data, next: nextPage(answer) }
}

function nextPage({ headers, url }: Answer): string | undefined {
  const link = nextLink([headers.link].flat().join(', '))
  if (link === undefined) return undefined
  const next = parseUrl(link, url)
  if (!next) throw new InitError(`${url.host} leads on to what is no URL, or a longer one than is read`)
  return next.href
}

/** Where a `Link` header says that a list goes on. Takes time in proportion to its length. */
export const nextLink = (header: string): string | undefined => /<([^<>]+)>\s*;[^,<]*\brel="?next"?/.exec(header)?.[1]

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Each part on its own; slashes stay. Parts that mean another place are refused. */
const encoded = (path: string) => partsOf(path).map(encodeURIComponent).join('/')
