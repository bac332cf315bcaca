import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type ParsedNode } from 'yaml'
import type { z } from 'zod'
import { checkValue, isPlainObject, pathOf } from '#shared/decode.ts'

export type Problem = {
  file: string
  /** From 1; absent where it is the whole file. */
  line?: number
  /** Place and reason. */
  why: string
}

/** The value of one YAML file, or all that is wrong with it. */
export function parseCatalogueFile<Schema extends z.ZodType>(
  file: string,
  text: string,
  schema: Schema,
): { value: z.output<Schema> } | { problems: Problem[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    return { problems: document.errors.map(({ message, pos }) => ({ file, line: lines.linePos(pos[0]).line, why: oneLine(message) })) }
  }
  const content = contentOf(document)
  if ('why' in content) return { problems: [{ file, why: content.why }] }
  const result = checkValue(schema, withAliases(content.value))
  if (result.success) return { value: result.data }
  return {
    problems: result.issues.map((issue) => {
      const offset = offsetOf(document, issue.path)
      return {
        file,
        ...(offset !== undefined && { line: lines.linePos(offset).line }),
        why: `${pathOf(issue.path) || 'the file'}: ${reasonOf(issue)}`,
      }
    }),
  }
}

/** An alias of nothing, or of far too much, is found only here. */
function contentOf(document: Document.Parsed): { value: unknown } | { why: string } {
  try {
    return { value: document.toJS() }
  } catch (error) {
    return { why: oneLine(error instanceof Error ? error.message : String(error)) }
  }
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom' && typeof issue.params?.text === 'string') return oneLine(issue.params.text)
  if (issue.code !== 'invalid_type') return oneLine(issue.message)
  if (issue.input === undefined) return 'is missing'
  const isPlain = typeof issue.input === 'number' || typeof issue.input === 'boolean'
  if (issue.expected === 'string' && isPlain) return `must be text: put ${String(issue.input)} in quotes`
  return oneLine(issue.message)
}

const oneLine = (text: string) => text.trim().replace(/\s+/g, ' ')

/** `benchmark_id` and `collection_id` mean `id`: that is how other tools of the ecosystem write these files. */
function withAliases(content: unknown): unknown {
  if (!isPlainObject(content)) return content
  const { benchmarks } = content
  return {
    ...aliased(content, 'collection_id'),
    ...(Array.isArray(benchmarks) && {
      benchmarks: benchmarks.map((entry: unknown) => (isPlainObject(entry) ? aliased(entry, 'benchmark_id') : entry)),
    }),
  }
}

const aliased = (content: Record<string, unknown>, alias: string) =>
  content.id === undefined ? { ...content, id: content[alias] } : content

/** Where the deepest part of the path that the file has begins. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  let node: ParsedNode | null = document.contents
  let offset = node?.range[0]
  for (const part of path) {
    const step: Step | undefined = stepInto(node, part)
    if (!step) return offset
    offset = step.offset
    node = step.node
  }
  return offset
}

type Step = { offset: number; node: ParsedNode | null }

function stepInto(node: ParsedNode | null, part: PropertyKey): Step | undefined {
  if (isSeq<ParsedNode>(node)) {
    const item = node.items[Number(part)]
    return item && { offset: item.range[0], node: item }
  }
  if (!isMap<ParsedNode, ParsedNode | null>(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && spellingOf(key.value) === spellingOf(part))
  return pair && { offset: pair.key.range[0], node: pair.value }
}

const ALIASES: Record<string, string> = { benchmarkid: 'id', collectionid: 'id' }

/** Keys that mean the same are equal in it. */
function spellingOf(key: unknown): string {
  const plain = String(key).toLowerCase().replaceAll('_', '')
  return ALIASES[plain] ?? plain
}
