import type { Pool } from '#db/client.ts'

/** A tag of every job that `fillJobs` makes, one of a thousandth of them, and a name of as many. */
export const MARKS = { commonTag: 'common', rareTag: 'rare-7', name: 'job-7' }

/**
 * Makes `count` jobs of `tenant`, with a run each, that look like those of a hub in use: nine of ten are completed, names and tags repeat.
 * They bypass the queue, since nothing is to launch them. `footprint` is what each is said to take of memory, which decides how a page of them is read.
 */
export async function fillJobs(db: Pool, tenant: string, count: number, footprint = 0): Promise<void> {
  await db`
    with job as (
      insert into evalhub.evaluations (id, tenant, owner, name, tags, state, message, request, aggregate_threshold, finished_at, score, passed, footprint)
      select
        -- Rising as those of version 7 do.
        (lpad(to_hex(1764000000000 + number), 12, '0') || '7000' || '8' || substr(md5(${tenant} || number), 1, 15))::uuid, ${tenant}, 'ann',
        'job-' || number % 1000, jsonb_build_array('common', 'rare-' || number % 1000), state,
        '{"message":"said","message_code":"said"}', jsonb_build_object('name', 'job-' || number % 1000, 'model', '{"url":"http://h/v1","name":"m"}'::jsonb,
        'benchmarks', '[{"id":"bench","provider_id":"bench","parameters":{"num_examples":10}}]'::jsonb), 0.5,
        case when state not in ('pending', 'running') then now() end, 0.75, true, ${footprint}::int
      from generate_series(1, ${count}::int) as number, lateral (
        select (case when number % 10 <> 0 then 'completed' else (array['failed', 'running', 'pending', 'cancelled', 'partially_failed'])[1 + number / 10 % 5] end)::evalhub.evaluation_state
      ) as chosen (state)
      returning id, state, finished_at
    )
    insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec, state, finished_at, settled_at, metrics)
    select id, 0, 'bench', 'bench', '{}', replace(state::text, 'partially_', '')::evalhub.run_state, finished_at, finished_at, '{"acc":0.75}' from job`
  await db`vacuum analyze evalhub.evaluations`
  await db`vacuum analyze evalhub.runs`
}

/** Makes `count` jobs of no tenant whose `runs` runs are all running, for events to be about; answers their ids. */
export async function fillRunning(db: Pool, count: number, runs: number): Promise<string[]> {
  const rows = await db<{ id: string }[]>`
    with job as (
      insert into evalhub.evaluations (id, tenant, owner, name, tags, state, message, request, aggregate_threshold)
      select gen_random_uuid(), '', '', 'bench', '[]', 'running', '{"message":"said","message_code":"said"}', '{"name":"bench"}', 0.5
      from generate_series(1, ${count}::int)
      returning id
    ), run as (
      insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec, state, started_at)
      select id, number, 'bench', 'bench', '{"provider_id":"bench","benchmark_id":"bench","primary_score":{"metric":"acc"},"weight":1}', 'running', now()::text
      from job, generate_series(0, ${runs - 1}::int) as number
    )
    select id from job`
  await db`vacuum analyze evalhub.evaluations`
  await db`vacuum analyze evalhub.runs`
  return rows.map(({ id }) => id)
}
