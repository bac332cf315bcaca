/**
 * The one line that matters in what initdb or the server wrote: the first fatal one, with its hint, else the last.
 * Undefined for silence.
 */
export function complaintIn(output: string): string | undefined {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const index = lines.findIndex((line) => fatal.test(line))
  const complaint = lines.at(index)?.replace(fatal, '$1').trim()
  const hint = index === -1 ? undefined : /HINT: +(.*)/.exec(lines[index + 1] ?? '')?.[1]
  return hint === undefined ? complaint : `${complaint} (${hint})`
}

/** What the user can do about it. `path` is where the hub looks for its database. */
export function remedyFor(reason: string, path: string): string {
  if (/ENOSPC|EDQUOT|No space left|free disk space/i.test(reason))
    return 'The disk is full: free some space, or choose another place with --data-dir'
  if (/(EACCES|EPERM|EROFS|EEXIST|ENOENT|ENOTDIR): /.test(reason)) return 'Choose a directory that you may write with --data-dir'
  if (/is not a valid data directory|incompatible with server|is gone/.test(reason))
    return `Move ${path} away to begin with an empty database`
  if (reason === 'spawn EPERM') return 'The hub is root but may not act as another user, as PostgreSQL needs: start it as an ordinary user'
  return 'To use a PostgreSQL of your own instead, set DATABASE_URL'
}

const fatal = /^.*?(?:FATAL|PANIC|error): +(.*)$/
