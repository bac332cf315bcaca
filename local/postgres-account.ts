import { spawn } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { complaintIn } from './postgres-complaint.ts'

/** Who the server runs as, where that is not the hub's own user. */
export type Account = { uid: number; gid: number }

/**
 * PostgreSQL refuses to run as root. Then it runs as the owner of its data, or, for data still to be made, as `nobody`:
 * initdb wants a user that the system knows by name, and this is the unprivileged one that every system has.
 */
export async function serverAccount(home?: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (home !== undefined) {
    const { uid, gid } = await stat(home)
    if (uid !== 0) return { uid, gid }
  }
  const nobody = /^nobody:[^:]*:(\d+):(\d+):/m.exec(await readFile('/etc/passwd', 'utf8'))
  if (!nobody) throw new Error('PostgreSQL does not run as root, and there is no user "nobody" to run it as: start as an ordinary user')
  return { uid: Number(nobody[1]), gid: Number(nobody[2]) }
}

/** `undefined` when the program ended with 0, else why not, on one line. Its environment is bare: nothing of the hub's reaches it. */
export async function complaintOf(
  program: string,
  args: string[],
  options: { account: Account | undefined; cwd: string },
): Promise<string | undefined> {
  const child = spawn(program, args, { ...options.account, cwd: options.cwd, env: plainEnvironment, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  const end = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `exit ${signal ?? code}`))
  })
  return end === undefined ? undefined : (complaintIn(said) ?? end)
}

/** No locale of the user's decides what the server does or in which language it complains. */
export const plainEnvironment = { LC_ALL: 'C', TZ: 'UTC' }
