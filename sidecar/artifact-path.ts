import { decodedFully } from './decode-fully.ts'
import { UNSEEN } from './route.ts'

/** A path of artifacts that leads where the run has none, or may be read as one that does; with what is wrong with it. */
export type Stray = 'elsewhere' | 'not plain'

/**
 * Judges a path, decoded once, as MLflow may read it: it decodes until nothing changes, takes the path for a URL, and Python drops tabs and ends of
 * lines from that, and what is blank before it. Undefined for one within the workspace, with blanks, signs and letters of any kind in its names.
 *
 * Refused as not plain: control characters, a blank before all, what could be a scheme or a host, segments of two dots, layers of encodings without
 * end; and the word that names a workspace in any spelling but the plain one.
 */
export function strayOf(path: string, workspace: string): Stray | undefined {
  const decoded = decodedFully(path)
  if (decoded === undefined || /[\p{Cc}\u2028\u2029]/u.test(decoded)) return 'not plain'
  if (/^\s/.test(decoded) || /^[/\\]{2}/.test(decoded) || /^[^/\\]*:/.test(decoded)) return 'not plain'
  const segments = segmentsOf(decoded)
  if (segments.some((segment) => lettersOf(segment) === '..')) return 'not plain'
  if (lettersOf(segments[0] ?? '') !== 'workspaces') return undefined
  const [word, name] = segmentsOf(path)
  if (word !== 'workspaces' || segments[0] !== word) return 'not plain'
  return name === workspace && segments[1] === workspace ? undefined : 'elsewhere'
}

const segmentsOf = (path: string) => path.split(/[/\\]/).filter((segment) => segment !== '' && segment !== '.')

/** A segment without what a reader may leave out of it. */
const lettersOf = (segment: string) =>
  segment
    .normalize('NFKC')
    .replaceAll(UNSEEN, '')
    .replaceAll(/\s|[;?#].*$/gsu, '')
    .toLowerCase()
