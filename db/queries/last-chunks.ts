import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

/** The last gzip pieces of what a container of an attempt wrote, in order: as many as hold `bytes`, if there are so many. */
export async function findLastChunks(
  db: Db,
  { evaluationId, benchmarkIndex, attempt }: AttemptKey,
  container: string,
  bytes: number,
): Promise<Uint8Array[]> {
  const rows = await db<{ chunk: Uint8Array }[]>`
    select chunk from (
      select seq, chunk, sum(bytes) over (order by seq desc) - bytes as after from evalhub.run_logs
      where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}
    ) as piece
    where after < ${bytes} order by seq`
  return rows.map(({ chunk }) => chunk)
}
