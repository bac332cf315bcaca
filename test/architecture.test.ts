import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The layout and the bans of CONTRIBUTING.md that lint has no rule for. Each rule is also shown an offence that it must see. */

const ROOT = join(import.meta.dirname, '..')

/** Who may import whom. A folder may always import itself; tests, `test/` and `bench/` may import what they try. */
const MAY_IMPORT: Record<string, string[]> = {
  shared: [],
  db: ['shared'],
  functions: ['shared', 'db'],
  'k8s-bridge': ['shared', 'db'],
  sidecar: ['shared'],
  sdk: ['shared'],
  adapters: ['shared', 'sdk'],
  cli: ['shared', 'sdk'],
  local: ['shared', 'db', 'functions', 'k8s-bridge', 'sdk', 'adapters'],
}

type Source = { file: string; text: string }

const isTest = (file: string) => /\.test\.ts$|(^|\/)test-[^/]*\.ts$/.test(file)

const sources: Source[] = Object.keys(MAY_IMPORT)
  .filter((folder) => readdirSync(ROOT).includes(folder))
  .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith('.ts') && !isTest(file))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))

const folderOf = (file: string) => file.split('/')[0] ?? ''

/** Comments say what they like. */
const codeOf = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm, '')

function foreignFolders({ file, text }: Source): string[] {
  const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => {
    if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0] ?? ''
    return specifier.startsWith('.') ? folderOf(join(file, '..', specifier)) : ''
  })
  const own = folderOf(file)
  // package.json knows the release, which is nobody's.
  return targets.filter((target) => !['', own, 'package.json'].includes(target) && !MAY_IMPORT[own]?.includes(target))
}

/** Turns codes into statuses. */
const isErrorTable = (file: string) => file === 'functions/error-response.ts'

type Rule = { name: string; offends: (source: Source) => boolean; planted: Source }

const inShared =
  (pattern: RegExp) =>
  ({ file, text }: Source) =>
    folderOf(file) === 'shared' && pattern.test(codeOf(text))

const RULES: Rule[] = [
  {
    name: 'imports go one way',
    offends: (source) => foreignFolders(source).length > 0,
    planted: { file: 'functions/a.ts', text: "import { b } from '#k8s-bridge/b.ts'" },
  },
  {
    name: 'relative imports cannot go round that',
    offends: (source) => foreignFolders(source).length > 0,
    planted: { file: 'shared/domain/a.ts', text: "import { b } from '../../db/b.ts'" },
  },
  {
    name: 'a file is a noun or a verb, not a drawer',
    offends: ({ file }) => /(^|\/)(utils?|helpers?|common|misc|constants|types)(\/|\.ts$)/.test(file),
    planted: { file: 'shared/utils.ts', text: '' },
  },
  {
    name: 'there is one barrel',
    offends: ({ file }) => file.endsWith('/index.ts') && file !== 'sdk/index.ts',
    planted: { file: 'db/index.ts', text: '' },
  },
  {
    name: 'a class is an Error',
    offends: ({ text }) => /\bclass\s+\w+(?!\w)(?!\s+extends\s+\w*Error\b)/.test(codeOf(text)),
    planted: { file: 'db/a.ts', text: 'class Repository { }' },
  },
  {
    name: 'the environment is read by config files',
    offends: ({ file, text }) => !/(^|[/-])config\.ts$/.test(file) && /\bprocess\.env\b/.test(codeOf(text)),
    planted: { file: 'db/a.ts', text: 'const a = process.env.A' },
  },
  {
    name: 'shared has no clock, no chance and no Node',
    offends: inShared(/\bDate\.now\(|\bnew Date\(\)|\brandomUUID\b|Math\.random|getRandomValues|'node:/),
    planted: { file: 'shared/a.ts', text: 'const now = Date.now()' },
  },
  {
    name: 'the SDK needs nothing of Node but where an adapter runs',
    offends: ({ file, text }) =>
      /^sdk\/(client|request|errors|index|models|listing|pause|resources\/.*)\.ts$/.test(file) && /'node:/.test(codeOf(text)),
    planted: { file: 'sdk/client.ts', text: "import { join } from 'node:path'" },
  },
  {
    name: 'SQL is built below db',
    offends: ({ file, text }) =>
      folderOf(file) !== 'db' && /\b(select|insert into|delete from|update)\s[^'\n]*\bevalhub\./i.test(codeOf(text)),
    planted: { file: 'functions/a.ts', text: 'sql`select id from evalhub.runs`' },
  },
  {
    name: 'the schema gives types and migrations, and is not loaded',
    offends: ({ file, text }) =>
      file !== 'db/schema.ts' && /(?<!import type [^'\n]*)from '(drizzle-orm[^']*|[^']*\/schema\.ts)'/.test(codeOf(text)),
    planted: { file: 'db/a.ts', text: "import { runs } from './schema.ts'" },
  },
  {
    name: 'the status of an error comes from its code',
    // But for the plain-text 404 of a path that is none, which app.ts answers.
    offends: ({ file, text }) =>
      folderOf(file) === 'functions' && /\b[45]\d\d\b/.test(codeOf(text).replace(/notFound\(.*status: 404/, '')) && !isErrorTable(file),
    planted: { file: 'functions/routes/a.ts', text: 'return answer(c, 409, body)' },
  },
  {
    name: 'what serves HTTP takes one request of a connection at a time',
    offends: ({ text }) =>
      /(createServer|createAdaptorServer)\b[^;]*'(node:https?|@hono\/node-server)'/.test(text) && !/\boneAtATime\(/.test(codeOf(text)),
    planted: { file: 'local/a.ts', text: "import { createServer } from 'node:http'\ncreateServer(answer)" },
  },
  {
    name: 'types vanish when they are stripped: no enum, no namespace',
    offends: ({ text }) => /^\s*(export\s+)?(const\s+enum|enum|namespace)\s+\w+/m.test(codeOf(text)),
    planted: { file: 'shared/a.ts', text: 'export enum State { A }' },
  },
  {
    name: 'nothing is left to do later',
    offends: ({ text }) => /\b(TODO|FIXME|HACK|XXX)\b/.test(text),
    planted: { file: 'db/a.ts', text: '// TODO: later' },
  },
]

describe.each(RULES)('$name', ({ offends, planted }) => {
  test('everywhere', () => {
    expect(sources.filter(offends).map(({ file }) => file)).toEqual([])
  })

  test('and the rule sees an offence', () => {
    expect(offends(planted)).toBe(true)
  })
})

test('the rules look at every folder of the layout that exists', () => {
  expect(sources.length).toBeGreaterThan(100)
  const known = new Set([...Object.keys(MAY_IMPORT), 'test', 'bench', 'catalogue', 'docs', 'infra', 'dist', 'node_modules'])
  const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  expect(folders.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([])
})
