import { writeFile } from 'node:fs/promises'
import { downloadGit } from './download-git.ts'
import { downloadHf } from './download-hf.ts'
import { downloadS3 } from './download-s3.ts'
import type { Download } from './download.ts'
import { createReach, guardedAgents } from './guarded-connect.ts'
import type { InitConfig, Source } from './config.ts'
import { InitError, reasonOf } from './init-error.ts'
import { openStaging } from './staging.ts'

/** Fetches all, or leaves nothing and throws one line without secrets. The answer is a line too. */
export async function fetchTestData(config: InitConfig): Promise<string> {
  const { source, timeoutSeconds, directory, secretDirectory } = config
  const secrets = new Set<string>()
  const staging = await openStaging(directory, config)
  const signal = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    const agents = guardedAgents(createReach(source.kind === 'git' ? 'public_only' : 'private_too', config.reach))
    const commit = await withinTime(fetchSource(source, { staging, agents, signal, secretDirectory, secrets }), signal)
    const { files, bytes } = await staging.commit()
    // For the sidecar, which reports it.
    if (commit !== undefined) await writeFile(config.metadataFile, `${commit}\n`, { mode: 0o600 })
    return `${nameOf(source)}: ${files} files, ${bytes} bytes${commit === undefined ? '' : `, commit ${commit}`}`
  } catch (error) {
    await staging.discard()
    const why = signal.aborted ? `not done after ${timeoutSeconds} s; name a smaller part of the data` : reasonOf(error)
    const text = `${nameOf(source)}: ${why}`
    throw new InitError(
      [...secrets].filter(({ length }) => length >= 4).reduce((line, secret) => line.replaceAll(secret, '***'), text),
      { cause: error },
    )
  }
}

function fetchSource(source: Source, download: Download): Promise<string | undefined> {
  if (source.kind === 'git') return downloadGit(source, download)
  return source.kind === 's3' ? downloadS3(source, download) : downloadHf(source, download)
}

/** A library that does not look at the signal is not waited for. */
function withinTime<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('out of time')), { once: true })
    work.then(resolve, reject)
  })
}

/** As it is shown; what could be a secret in an address is left out. */
function nameOf(source: Source): string {
  if (source.kind === 's3') return `s3 ${source.bucket}/${source.key}`
  if (source.kind === 'hf') return `hf ${source.repoId} at ${source.revision}`
  const { protocol, host, pathname } = new URL(source.url)
  return `git ${protocol}//${host}${pathname} at ${source.ref}`
}
