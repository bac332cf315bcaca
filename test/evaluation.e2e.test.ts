import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadToyItems } from '#local/toy-items.ts'
import { toyErrs, toyKnows } from '#local/toy-answers.ts'
import { startToyModel, type ToyModel } from '#local/toy-model.ts'
import { createClient, type Client, type EvaluationJob } from '#sdk/index.ts'
import type { MetricStatistics } from '#shared/models/benchmark-run.ts'
import { startHubProcess, type HubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

let folder: string
let hub: HubProcess
let toy: ToyModel
let client: Client
beforeAll(async () => {
  folder = await makeFolder()
  ;[hub, toy] = await Promise.all([startHubProcess({ dataDir: join(folder, 'data') }), startToyModel()])
  client = createClient({ baseUrl: hub.url })
})
afterAll(async () => {
  await Promise.all([hub.stop(), toy.stop()])
  await removeFolder(folder)
})

/** What the toy is known to answer to all items of a data set. */
function known(dataset: string) {
  const items = loadToyItems().filter((item) => item.dataset === dataset)
  const answered = items.filter((item) => !toyErrs(item))
  return { planned: items.length, scored: answered.length, right: answered.filter(toyKnows).length }
}

/** Wilson's interval in its other form: the roots of (p - x)² = z² x (1 - x) / n. */
function wilson(right: number, n: number): [number, number] {
  const z2 = 1.959963984540054 ** 2
  const [a, b, c] = [1 + z2 / n, -(2 * right + z2) / n, (right / n) ** 2]
  const root = Math.sqrt(b * b - 4 * a * c)
  return [(-b - root) / (2 * a), (-b + root) / (2 * a)]
}

async function evaluate(request: Partial<Parameters<Client['evaluations']['submit']>[0]>): Promise<EvaluationJob> {
  const job = await client.evaluations.submit({ name: 'toy', model: { url: toy.url, name: toy.name }, ...request })
  expect(job.status.benchmarks.every(({ status }) => status === 'pending')).toBe(true)
  return client.evaluations.wait(job.resource.id, { timeoutMs: 90_000 })
}

describe('an evaluation of the toy model', () => {
  // Guarantee: numbers can be trusted. Each is compared with what the toy is known to answer.
  test('has the scores, intervals and error counts that the toy is known to have', async () => {
    const job = await evaluate({ collection: { id: 'starter-v1' } })
    expect(job.status.state).toBe('completed')

    const weights = new Map([
      ['arithmetic_problems', 2],
      ['science_choice', 2],
      ['world_capitals', 1],
    ])
    let [sum, weight] = [0, 0]
    for (const result of job.results.benchmarks ?? []) {
      const { planned, scored, right } = known(result.id)
      const metric = result.test?.primary_score_metric ?? ''
      const statistics = (result.additional_info!.statistics as Record<string, MetricStatistics>)[metric]!
      const [low, high] = wilson(right, scored)
      const failed = planned - scored

      expect(scored).toBeGreaterThan(100)
      expect(result.metrics?.[metric]).toBeCloseTo(right / scored, 12)
      expect(statistics).toMatchObject({ n: scored, planned, scored, failed })
      expect(statistics.ci95?.[0]).toBeCloseTo(low, 9)
      expect(statistics.ci95?.[1]).toBeCloseTo(high, 9)
      expect(statistics.bounds?.[0]).toBeCloseTo(right / planned, 12)
      expect(statistics.bounds?.[1]).toBeCloseTo((right + failed) / planned, 12)
      expect(result.test).toMatchObject({ primary_score: Number(Math.fround(right / scored).toPrecision(7)) })
      sum += weights.get(result.id)! * (right / scored)
      weight += weights.get(result.id)!
    }
    expect(job.results.benchmarks).toHaveLength(3)
    expect(job.results.test?.score).toBeCloseTo(sum / weight, 6)
  })

  test('keeps every sample, and the log of the adapter', async () => {
    const job = await evaluate({ benchmarks: [{ provider_id: 'builtin', id: 'world_capitals', parameters: { num_examples: 20 } }] })
    const samples = job.results.benchmarks![0]!.artifacts!.samples as { uri: string }
    const rows = (await readFile(fileURLToPath(samples.uri), 'utf8')).trim().split('\n')
    expect(rows).toHaveLength(20)
    expect(Object.keys(JSON.parse(rows[0]!) as object)).toEqual(expect.arrayContaining(['id', 'input', 'output', 'gold', 'score']))
    await expect.poll(() => client.evaluations.logs(job.resource.id)).toContain('benchmark_id=world_capitals')
  })

  test('fails with the url and the cause where nothing answers', async () => {
    const job = await evaluate({
      model: { url: 'http://127.0.0.1:9/v1', name: 'none' },
      benchmarks: [{ provider_id: 'builtin', id: 'world_capitals' }],
    })
    expect(job.status.state).toBe('failed')
    expect(job.status.benchmarks[0]?.error_message?.message).toMatch(/http:\/\/127\.0\.0\.1:9\/v1.*refused/is)
  })
})
