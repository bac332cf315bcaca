import { mkdir, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { answerGit, runGit } from './test-server.ts'
import type { Pod } from '../init/test-init.ts'

type Files = Record<string, string>

/** A repository of which the test server gives all, in commits that say `files`. */
export async function makeRepository({ directory }: Pod, ...commits: Files[]): Promise<string> {
  const repository = join(directory, 'repositories', 'data.git')
  await mkdir(repository, { recursive: true })
  await runGit(repository, 'init', '-q', '-b', 'main')
  for (const files of commits) await commitFiles(repository, files)
  return repository
}

export async function commitFiles(repository: string, files: Files): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(repository, path, '..'), { recursive: true })
    await writeFile(join(repository, path), content)
  }
  await runGit(repository, 'add', '-A')
  await runGit(repository, 'commit', '-q', '-m', 'data')
  return runGit(repository, 'rev-parse', 'HEAD')
}

/** A branch `hostile`, whose commit has that tree. */
export const commitTree = async (repository: string, tree: string) => {
  const oid = await runGit(repository, 'commit-tree', '-m', 'made by hand', tree)
  await runGit(repository, 'update-ref', 'refs/heads/hostile', oid)
}

export const gitListener =
  ({ directory }: Pod): RequestListener =>
  (request, response) =>
    answerGit(join(directory, 'repositories'), request, response)

/** Fetches a ref of that repository. */
export async function serveGit(pod: Pod): Promise<(ref: string, env?: Files, memoryBytes?: number) => Promise<string>> {
  const base = await pod.serve(gitListener(pod))
  return (ref, env = {}, memoryBytes?: number) =>
    pod.fetchData({ TEST_DATA_GIT_URL: `${base}/data.git`, TEST_DATA_GIT_REF: ref, ...env }, memoryBytes)
}
