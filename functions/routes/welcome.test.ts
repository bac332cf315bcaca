import { readFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { RELEASE } from '#shared/release.ts'
import { createApp } from '../app.ts'
import { appOn, callOn, optionsOn, test } from '../test-app.ts'

describe('the page at the root of a hub without identities', () => {
  test('says what is here: name, release, the first command of README, and links of which each leads somewhere', async ({ db }) => {
    const app = createApp({ ...(await optionsOn(db, { mode: 'none' })), release: RELEASE })
    const call = callOn(app, {})
    const { status, text, headers } = await call('GET', '//')
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(text).toContain('<title>EvalHub</title>')
    expect(text).toContain(RELEASE)
    const links = [...text.matchAll(/href="([^":]+)"/g)].map(([, link = '']) => link)
    expect(links).toEqual(expect.arrayContaining(['docs', 'openapi.json', 'api/v1/health', 'welcome.css']))
    for (const link of links) expect({ link, status: (await call('GET', `//${link}`)).status }).toEqual({ link, status: 200 })

    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const [command = ''] = /curl -s http:\/\/localhost:8080\/api[^]*?\n}'/.exec(readme) ?? []
    const shown = text.replaceAll('&quot;', '"').replaceAll('&#39;', "'")
    expect(shown).toContain(command.replace(':8080', ''))
  })

  test('names the address that it was asked at', async ({ app }) => {
    const answer = await app.request('http://127.0.0.1:1234/', { headers: { Host: '127.0.0.1:1234' } })
    expect(await answer.text()).toContain('curl -s http://127.0.0.1:1234/api/v1/evaluations/jobs')
  })

  test('runs nothing, asks no other host, and is shown in no frame', async ({ call }) => {
    for (const path of ['//', '//welcome.css']) {
      const { text, headers } = await call('GET', path)
      expect(headers.get('content-security-policy')?.split('; ')).toEqual([
        "default-src 'none'",
        "style-src 'self'",
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ])
      expect(text).not.toMatch(/<script|<style| on\w+=| style=|javascript:|(?:src|href)="(?:https?:)?\/\//)
    }
  })

  test('answers HEAD as GET, without its text', async ({ call }) => {
    const [head, get] = [await call('HEAD', '//'), await call('GET', '//')]
    expect([head.status, head.text, head.headers.get('content-type')]).toEqual([200, '', get.headers.get('content-type')])
  })

  test('is 404 as ever on a hub with identities', async ({ db }) => {
    const app = await appOn(db, { mode: 'headers', runTokenKey: 'a key of 32 characters, or of more', reporters: [] })
    for (const path of ['//', '//welcome.css']) {
      expect(await callOn(app, {})('GET', path)).toMatchObject({ status: 404, text: '404 page not found\n' })
    }
  })
})
