import { closeSync, readFileSync } from 'node:fs'

/** Descriptor from which a process that was started anew reads what was in its environment; above those that supervisors hand over. */
const DESCRIPTOR = 9
const HANDED = 'EVALHUB_HANDED'
const IS_HANDED = 'EVALHUB_IS_HANDED'
/** What one variable may hold on Linux, with room for JSON's escapes. */
const HANDED_MAX_CHARS = 100_000

/** The shell makes a pipe of the text, so that it is in no file, and gives its own place to the program. */
const START_ANEW = `exec ${DESCRIPTOR}<<END
$${HANDED}
END
unset ${HANDED}
exec "$@" ${DESCRIPTOR}<&${DESCRIPTOR}`

/**
 * Keeps what these variables hold out of `/proc/PID/environ`, where every process of the same user can read it, adapters among them.
 *
 * What is in the environment at the start of a program stays there: to delete it changes nothing. So the program executes itself anew
 * without them, and gets them through a pipe: this file puts them back into `process.env` when it is loaded, where children find them
 * only if they are given that. Process id, terminal, arguments and signals stay. To be called before any adapter runs. Does nothing where
 * none is set, and on Windows.
 */
export function hideVariables(names: readonly string[]): void {
  const { env } = process
  const set = names.filter((name) => env[name])
  if (isAnew || set.length === 0 || !process.execve) return
  const handed = JSON.stringify(Object.fromEntries(set.map((name) => [name, env[name]])))
  if (handed.length > HANDED_MAX_CHARS) throw new Error(`${set.join(', ')} hold more than ${HANDED_MAX_CHARS} characters`)
  // A channel to a parent in Node's own manner closes here; its number would mean another file.
  const hidden = new Set([...set, 'NODE_CHANNEL_FD'])
  const others = Object.entries(env).filter(([name]) => !hidden.has(name))
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.execve('/bin/sh', ['sh', '-c', START_ANEW, 'sh', ...command], {
    ...Object.fromEntries(others),
    [HANDED]: handed,
    [IS_HANDED]: '1',
  })
}

/** True for a process that was started anew. */
const isAnew = takeHanded()

function takeHanded(): boolean {
  if (process.env[IS_HANDED] === undefined) return false
  const handed: unknown = JSON.parse(readFileSync(DESCRIPTOR, 'utf8'))
  closeSync(DESCRIPTOR)
  Object.assign(process.env, handed)
  delete process.env[IS_HANDED]
  return true
}
