import { execFile } from 'node:child_process'
import { glob, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { REPEATS, type Place } from './compare.ts'
import { median } from './measure.ts'
import { openReference, type OperationName, type Subject } from './operations.ts'
import { figuresOf } from './processes.ts'

const CONNECTIONS = [1, 16, 64]

/** Where Debian keeps it, beside the path. */
const PLACES = '/usr/lib/postgresql/*/bin/pgbench'

async function findPgbench(): Promise<string | undefined> {
  const candidates = ['pgbench']
  for await (const path of glob(PLACES)) candidates.push(path)
  for (const candidate of candidates) {
    const runs = await promisify(execFile)(candidate, ['--version']).catch(() => undefined)
    if (runs) return candidate
  }
  return undefined
}

type Statement = { text: string; parameters: readonly unknown[] }

/** The statement that `operation` writes with, when it comes alone. */
async function statementOf(url: string, operation: OperationName, subject: Subject): Promise<Statement> {
  const sent: Statement[] = []
  const { next, db } = openReference(url, operation, subject)
  db.options.debug = (_connection, text, parameters) => sent.push({ text, parameters })
  await next()
  await db.end()
  const [statement] = sent.filter(({ text }) => /insert into evalhub\.evaluations|update evalhub\.runs/.test(text))
  if (!statement) throw new Error(`${operation} has sent no statement that writes`)
  return statement
}

/** As the driver sends it: text, of a type that the statement says or knows. */
const literal = (value: unknown) => (value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`)

/** The same statement as a script: with another job each time, a new one or one of `ids`. */
function toScript({ text, parameters: [parameter, ...others] }: Statement, ids: readonly string[]): string {
  // JSON, as the driver sends it. A colon before a name would be a variable of pgbench.
  const json = String(parameter).replaceAll('":', '": ').replaceAll("'", "''")
  const [id] = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(json) ?? ['']
  const other = ids.length === 0 ? 'gen_random_uuid()::text' : `(array['${ids.join("','")}'])[1 + floor(random() * ${ids.length})::int]`
  const whole = others.reduce<string>((sql, value, at) => sql.replace(`$${at + 2}`, () => literal(value)), text)
  return `${whole.replace('$1', `replace('${json}', '${id}', ${other})::jsonb`)};\n`
}

async function perSecondOf(pgbench: string, script: string, clients: number, seconds: number, databaseUrl: string): Promise<number> {
  const options = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(Math.ceil(seconds)), '-f', script, databaseUrl]
  const { stdout } = await promisify(execFile)(pgbench, options)
  return Number(/tps = ([\d.]+)/.exec(stdout)?.[1])
}

type Options = { folder: string; seconds: number; subject: Subject }

/**
 * What PostgreSQL does with the API's own statement for one request a transaction, without gathering and without HTTP; and beside it, in
 * turns, the API.
 */
export async function benchPgbench(place: Place, { folder, seconds, subject }: Options): Promise<void> {
  const pgbench = await findPgbench()
  if (pgbench === undefined) {
    console.log('pgbench is not on this machine: its lines are left out (Debian has it in the package postgresql-contrib)')
    return
  }
  for (const operation of ['submit', 'progress'] as const) {
    const script = join(folder, `${operation}.sql`)
    await writeFile(script, toScript(await statementOf(place.databaseUrl, operation, subject), operation === 'submit' ? [] : subject.ids))
    for (const connections of CONNECTIONS) {
      const pairs: { api: number; alone: number }[] = []
      for (let at = 0; at < REPEATS; at++) {
        const alone = await perSecondOf(pgbench, script, connections, seconds, place.databaseUrl)
        const { perSecond: api } = await figuresOf({ role: 'load', url: place.url, operation, connections, seconds, subject })
        pairs.push({ api, alone })
      }
      const [api, alone] = [median(pairs.map((pair) => pair.api)), median(pairs.map((pair) => pair.alone))].map(Math.round)
      const ratio = median(pairs.map((pair) => pair.api / pair.alone)).toFixed(2)
      console.log(`${operation}, ${connections} connections: API ${api}/s, pgbench with one a transaction ${alone}/s, API:pgbench ${ratio}`)
    }
  }
}
