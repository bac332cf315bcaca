import { readdir, type FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HOW_TO_ALLOW, type AllowedPaths } from '#shared/domain/allowed-paths.ts'
import { AdapterFailure } from '#sdk/adapter.ts'
import { openNamedFile } from '#sdk/open-named-file.ts'

/** Bounds of a data set; what is larger is refused, not cut. */
const MAX_FILE_BYTES = 64 * 1024 * 1024
const MAX_LINE_CHARS = 1024 * 1024
const MAX_ROWS = 200_000

/** One line of a data set. Keys are read with `Object.hasOwn` only: a row may well have one named `__proto__`. */
export type Row = { id: string; line: number; fields: Readonly<Record<string, unknown>> }

export type DataSet = { path: string; rows: Row[] }

/** Where data sets may lie beside an absolute path; and where an absolute path may lead to, if not everywhere. */
export type DataPlaces = { testDataDir: string; cwd: string; allowed?: AllowedPaths }

/** Never quotes the file: it may not be a data set but something secret that was named by mistake. */
const invalid = (path: string, reason: string) => new AdapterFailure('dataset_invalid', `Data set ${path}${reason}`)

type Found = { path: string; file: FileHandle }

async function onlyMounted({ testDataDir }: DataPlaces): Promise<string> {
  const names = await readdir(testDataDir).catch((): string[] => [])
  const found = names.filter((name) => name.endsWith('.jsonl')).sort()
  const [only] = found
  if (only && found.length === 1) return join(testDataDir, only)
  const seen = found.length === 0 ? 'no *.jsonl file' : `${found.length} *.jsonl files (${found.slice(0, 5).join(', ')})`
  throw new AdapterFailure('dataset_missing', `Parameter dataset is not set, and ${testDataDir} has ${seen}. Name the file in dataset.`)
}

/** The file that the parameter `dataset` names; without one, the only `*.jsonl` among the mounted test data. */
async function findFile(dataset: string | undefined, places: DataPlaces): Promise<Found> {
  const { testDataDir, cwd, allowed } = places
  const named = dataset === undefined ? [await onlyMounted(places)] : [resolve(testDataDir, dataset), resolve(cwd, dataset)]
  const candidates = [...new Set(named)]
  for (const path of candidates) {
    const file = await openNamedFile(path, allowed)
    if (file) return { path, file }
  }
  const where = `looked for ${candidates.join(' and ')}`
  const message = allowed ? `names no file that it may: ${where}. ${HOW_TO_ALLOW}.` : `names no file: ${where}.`
  throw new AdapterFailure('dataset_missing', `Parameter dataset ${message}`)
}

function rowFrom(text: string, path: string, line: number): Row {
  if (text.length > MAX_LINE_CHARS) throw invalid(path, `:${line}: the line has more than ${MAX_LINE_CHARS} characters.`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid(path, `:${line}: not JSON.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, `:${line}: not a JSON object.`)
  const fields = value as Record<string, unknown> // An object of JSON has string keys and unknown values.
  const id = Object.hasOwn(fields, 'id') ? fields.id : undefined
  return { id: typeof id === 'string' || typeof id === 'number' ? String(id) : `line-${line}`, line, fields }
}

/** The rows of JSONL text; blank lines do not count. */
export function rowsFrom(text: string, path: string): Row[] {
  const rows: Row[] = []
  let line = 0
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    line++
    const content = text.slice(start, end).trim()
    if (content !== '') rows.push(rowFrom(content, path, line))
    if (rows.length > MAX_ROWS) throw invalid(path, ` has more than ${MAX_ROWS} rows.`)
    start = end + 1
  }
  if (rows.length === 0) throw invalid(path, ' has no rows.')
  return rows
}

async function readWhole(path: string, file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat()
  if (size > MAX_FILE_BYTES) throw invalid(path, ` has ${size} bytes; at most ${MAX_FILE_BYTES} are read.`)
  return file.readFile()
}

/** Reads a whole data set. Throws `AdapterFailure` that names file, line and reason. */
export async function readDataSet(dataset: string | undefined, places: DataPlaces): Promise<DataSet> {
  const { path, file } = await findFile(dataset, places)
  const bytes = await readWhole(path, file).finally(() => file.close())
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid(path, ' is not UTF-8.')
  }
  return { path, rows: rowsFrom(text, path) }
}

/** The value of one field as text; undefined if it is absent or no text, number or boolean. */
export function textField({ fields }: Row, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** A row that lacks what a benchmark needs. */
export const badRow = ({ path }: DataSet, { line }: Row, reason: string) => invalid(path, `:${line}: ${reason}`)

/** One field as a list of texts: a single text counts as a list of one. Throws `badRow` otherwise or when it is empty. */
export function textsField(data: DataSet, row: Row, name: string): string[] {
  const single = textField(row, name)
  if (single !== undefined) return [single]
  const value = Object.hasOwn(row.fields, name) ? row.fields[name] : undefined
  const isTexts = Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string' || typeof text === 'number')
  if (!isTexts) throw badRow(data, row, `field ${name} must be text or a list of texts.`)
  return value.map(String)
}
