import { AdapterFailure } from '#sdk/adapter.ts'

export type Api = 'chat' | 'completions'

const ROUTES: Record<Api, string> = { chat: '/chat/completions', completions: '/completions' }

const invalid = (reason: string) => new AdapterFailure('model_url_invalid', `model.url ${reason}`)

/**
 * The route of an endpoint whose base is `base`, such as `http://localhost:11434/v1`. A base that
 * already ends in a route is accepted; a query is kept.
 */
export function routeUrl(base: string, api: Api): URL {
  if (!URL.canParse(base)) throw invalid(base === '' ? 'is empty; a model is needed.' : 'is not a URL.')
  const url = new URL(base)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(`begins with ${url.protocol}; allowed: http: and https:.`)
  url.hash = ''
  url.pathname = url.pathname.replace(/(?<!\/)\/+$/, '').replace(/(\/chat)?\/completions$/, '') + ROUTES[api]
  return url
}

/** A URL that may be shown: without user, password and query, which may hold keys. */
export const shownUrl = ({ origin, pathname }: URL) => `${origin}${pathname}`
