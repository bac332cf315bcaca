import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { Duration, Names } from './models/setting.ts'
import { complaints, gatherSettings, settingsOf } from './settings.ts'

const settings = settingsOf(
  z.object({
    PORT: z.string().meta({ path: 'service.port', description: 'a port' }),
    DATABASE_URL: z.string().meta({ path: 'database.url', aliases: ['DB_URL'], description: 'a database' }),
    LISTED: z.string().meta({ path: 'some.list', description: 'a list' }),
  }),
)

const gather = (env: Record<string, string>, files: Record<string, string> = {}) =>
  gatherSettings(settings, env, {
    readText: (path) => files[path],
    exists: (path) => Object.keys(files).some((file) => file === path || file.startsWith(`${path}/`)),
    parseYaml: parse,
  })

describe('gatherSettings', () => {
  const base = { EVAL_HUB_CONFIG_DIR: '/etc/hub' }
  const all = {
    '/etc/hub/config.yaml':
      'service: { port: 1 }\nsecrets: { dir: /run/secrets, mappings: { url: database.url, "none:optional": some.list } }',
    '/etc/more.yaml': 'service: { port: 3 }',
    '/run/secrets/url': 'postgres://secret\n',
  }

  test.each([
    [base, '1'],
    [{ ...base, PORT: '2' }, '2'],
    [{ ...base, PORT: '2', CONFIG_PATH: '/etc/more.yaml' }, '3'],
    [{ ...base, PORT: '' }, '1'],
    [{ ...base, PORT: ' 2\n' }, '2'],
  ])('of %j takes the port %s', (env, port) => {
    expect(gather(env, all).values.PORT).toBe(port)
  })

  test('a secret wins over all, and comes without the line end that its file has', () => {
    expect(gather({ ...base, DATABASE_URL: 'postgres://env' }, all).values.DATABASE_URL).toBe('postgres://secret')
  })

  test('other names are read where the first is not set, those of env_mappings too', () => {
    expect(gather({ DB_URL: 'b' }).values).toEqual({ DATABASE_URL: 'b' })
    expect(gather({ DATABASE_URL: 'a', DB_URL: 'b' }).values).toEqual({ DATABASE_URL: 'a' })
    const files = { '/etc/hub/config.yaml': 'env_mappings: { MY_PORT: service.port }' }
    expect(gather({ ...base, MY_PORT: '7' }, files).values).toEqual({ PORT: '7' })
    expect(gather({ ...base, MY_PORT: '7' }, files).variables).toEqual(expect.arrayContaining(['PORT', 'DB_URL', 'MY_PORT']))
  })

  test('a list is one text with commas, and null is nothing', () => {
    const files = { '/etc/hub/config.yaml': 'some: { list: [a, b] }\nservice: { port: null }' }
    expect(gather(base, files).values).toEqual({ LISTED: 'a,b' })
  })

  test('what is no setting of this process is named', () => {
    expect(gather(base, { '/etc/hub/config.yaml': 'otel: { enabled: true, deep: { er: 1 } }' }).unread).toEqual([
      'otel.enabled',
      'otel.deep.er',
    ])
  })

  test.each([
    [base, {}, /EVAL_HUB_CONFIG_DIR names \/etc\/hub\/config.yaml, which does not exist/],
    [
      { CONFIG_PATH: '/c.yaml' },
      { '/c.yaml': 'a: 1\nurl: "hidden' },
      /CONFIG_PATH names \/c.yaml, which is not valid YAML: line 2 \(MISSING_CHAR\)/,
    ],
    [{ CONFIG_PATH: '/c.yaml' }, { '/c.yaml': 'a: 1\nb:\n\turl: hidden' }, /which is not valid YAML: line 3 \(TAB_AS_INDENT\)/],
    [{ CONFIG_PATH: '/c.yaml' }, { '/c.yaml': 'a: 1\n\na: hidden' }, /which is not valid YAML: line 3 \(DUPLICATE_KEY\)/],
    [{ CONFIG_PATH: '/c.yaml' }, { '/c.yaml': '- hidden' }, /which has no settings by name/],
    [
      { CONFIG_PATH: '/c.yaml' },
      { '/c.yaml': 'secrets: { dir: /s, mappings: { a: database.url } }', '/s/b': '' },
      /names a, which \/s does not have/,
    ],
  ])('of %j with %j says what is wrong, and repeats nothing', (env, files, complaint) => {
    const { mistakes } = gather(env, files as unknown as Record<string, string>)
    expect(mistakes).toEqual([expect.stringMatching(complaint)])
    expect(mistakes.join()).not.toContain('hidden')
  })

  test('a directory of secrets that does not exist has no say', () => {
    const files = { '/c.yaml': 'secrets: { dir: /s, mappings: { a: database.url } }' }
    expect(gather({ CONFIG_PATH: '/c.yaml' }, files)).toMatchObject({ values: {}, mistakes: [] })
  })
})

test('a complaint names the setting as it is written in both places', () => {
  expect(complaints(settings, [{ path: ['PORT'], message: 'must be a number' }])).toEqual(['PORT (service.port) must be a number'])
})

test('a setting that nobody has described is refused', () => {
  expect(() => settingsOf(z.object({ NEW: z.string() }))).toThrow(/NEW is not described/)
})

test.each([
  ['15s', 15_000],
  ['1m30s', 90_000],
  ['500ms', 500],
  ['1.5h', 5_400_000],
])('%s is %d ms', (text, ms) => {
  expect(Duration.parse(text)).toBe(ms)
})

test.each(['', '15', '-1s', 's', '1d', '0s', '999999h'])('%j is no duration', (text) => {
  expect(Duration.safeParse(text).success).toBe(false)
})

test('names come without blanks and empty ones', () => {
  expect(Names.parse(' a, ,b ')).toEqual(['a', 'b'])
})
