import { MetricStatistics } from '#sdk/models.ts'
import type { BenchmarkResult, BenchmarkStatus, BenchmarkTest, Collection, EvaluationJob } from '#sdk/models.ts'
import type { DemoModel } from './demo-config.ts'
import { tableLines } from './demo-table.ts'
import type { Cell, Column } from './demo-table.ts'
import { harmless } from './terminal.ts'
import type { Paint } from './terminal.ts'

const COLUMNS: readonly Column[] = [
  { title: 'Benchmark', align: 'left' },
  { title: 'Score', align: 'right' },
  { title: '95 % interval', align: 'left' },
  { title: 'Threshold', align: 'right' },
  { title: 'Verdict', align: 'left' },
  { title: 'Scored', align: 'right' },
  { title: 'Errors', align: 'right' },
  { title: 'Weight', align: 'right' },
]
const NOTHING = '–'

/** Three decimals for a ratio, four digits for everything else. */
export const formatScore = (value: number): string => (Math.abs(value) <= 1 ? value.toFixed(3) : String(Number(value.toPrecision(4))))

type Row = { status: BenchmarkStatus; result: BenchmarkResult | undefined; weight: number; statistics: MetricStatistics | undefined }

/** What the adapter says about the metric that judges the benchmark; it is the adapter's own, so it may be anything. */
function statisticsOf(result: BenchmarkResult | undefined): MetricStatistics | undefined {
  const metric = result?.test?.primary_score_metric
  const all = result?.additional_info?.statistics
  if (metric === undefined || typeof all !== 'object' || all === null) return undefined
  return MetricStatistics.safeParse(Reflect.get(all, metric)).data
}

function rowsOf(job: EvaluationJob, collection: Collection): Row[] {
  return job.status.benchmarks.map((status) => {
    const result = job.results.benchmarks?.find((each) => each.benchmark_index === status.benchmark_index)
    const weight = collection.benchmarks[status.benchmark_index]?.weight || 1
    return { status, result, weight, statistics: statisticsOf(result) }
  })
}

/** The direction follows from the verdict: passed above its threshold, or failed below it, means more is better. */
function thresholdOf({ primary_score: score, threshold, pass }: BenchmarkTest): string {
  const moreIsBetter = pass ? score >= threshold : score < threshold
  return `${moreIsBetter ? '≥' : '≤'} ${formatScore(threshold)}`
}

const verdictOf = (pass: boolean, paint: Paint): Cell =>
  pass ? { text: 'pass', paint: (text) => paint('green', text) } : { text: 'fail', paint: (text) => paint('red', text) }

function cellsOf({ status, result, weight, statistics }: Row, paint: Paint): Cell[] {
  const test = result?.test
  const ended: Cell = { text: status.status === 'completed' ? NOTHING : status.status, paint: (text) => paint('red', text) }
  return [
    { text: harmless(status.id) },
    { text: test ? formatScore(test.primary_score) : NOTHING },
    { text: statistics?.ci95 ? statistics.ci95.map(formatScore).join(' to ') : NOTHING },
    { text: test ? thresholdOf(test) : NOTHING },
    test && status.status === 'completed' ? verdictOf(test.pass, paint) : ended,
    { text: statistics ? String(statistics.scored) : NOTHING },
    { text: statistics ? String(statistics.failed) : NOTHING },
    { text: String(weight) },
  ]
}

function overallLine({ results: { test } }: EvaluationJob, paint: Paint): string {
  if (!test) return '  No overall score: not every benchmark was completed.'
  const verdict = verdictOf(test.pass, paint)
  const said = `Overall score ${formatScore(test.score)}, threshold ${formatScore(test.threshold)}: `
  return `  ${paint('bold', said)}${verdict.paint?.(verdict.text) ?? verdict.text}`
}

/** What errors may mean for the score, and everything that the run wanted to have said. */
function remarksOf({ status, statistics }: Row, paint: Paint): string[] {
  const remarks: string[] = []
  if (statistics?.bounds && statistics.failed > 0) {
    const items = statistics.failed === 1 ? '1 failed item' : `${statistics.failed} failed items`
    remarks.push(`with its ${items} answered, the score would be from ${statistics.bounds.map(formatScore).join(' to ')}`)
  }
  if (status.warning_message) remarks.push(`${paint('yellow', 'warning:')} ${harmless(status.warning_message.message)}`)
  if (status.error_message) remarks.push(`${paint('red', `${status.status}:`)} ${harmless(status.error_message.message)}`)
  return remarks.map((remark) => `  ${harmless(status.id)}: ${remark}`)
}

/** The outcome of an ended job: a table, the overall verdict, and remarks. */
export function reportLines(job: EvaluationJob, collection: Collection, columns: number, paint: Paint): string[] {
  const rows = rowsOf(job, collection)
  const table = tableLines(
    COLUMNS,
    rows.map((row) => cellsOf(row, paint)),
    columns,
  )
  const remarks = rows.flatMap((row) => remarksOf(row, paint))
  return ['', ...table, '', overallLine(job, paint), ...(remarks.length > 0 ? ['', ...remarks] : [])]
}

/** As one word of a shell's command line. */
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** What a reader can do next. `model` is the one that was evaluated; undefined: the toy. */
export function nextLines(model: DemoModel | undefined, collection: string, paint: Paint): string[] {
  const { url, name, apiKey } = model ?? { url: 'http://localhost:11434/v1', name: 'MODEL' }
  const auth = apiKey === undefined ? {} : { auth: { secret_ref: '/FOLDER' } }
  const body = JSON.stringify({ name: 'first', model: { url, name, ...auth }, collection: { id: collection } })
  const toy = [
    '',
    `  ${paint('yellow', 'These numbers come from a toy that knows some of the answers. They say nothing about any real model.')}`,
    '',
    '  Evaluate a model of your own (Ollama, vLLM, llama.cpp, a hosted one):',
    `    npm run demo -- --model-url ${url} --model-name ${name}`,
  ]
  return [
    ...(model ? [] : toy),
    '',
    '  Start a hub that stays, and submit to it; its API is described at http://localhost:8080/docs:',
    '    npm start',
    `    curl -H 'Content-Type: application/json' -d ${quoted(body)} http://localhost:8080/api/v1/evaluations/jobs`,
    ...(apiKey === undefined ? [] : ['  /FOLDER stands for the folder where you keep the key, in a file named api-key.']),
    '',
    '  Read on in README.md and docs/.',
  ]
}
