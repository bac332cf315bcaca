/** The last `count` lines of `text`, without its final newline; all of it, as it is, for -1. */
export function tailLines(text: string, count: number): string {
  if (count < 0) return text
  const end = text.endsWith('\n') ? text.length - 1 : text.length
  let start = end
  for (let lines = 0; lines < count; lines++) {
    // Before the first character there is no newline, though `lastIndexOf` would look at that character again.
    start = start === 0 ? -1 : text.lastIndexOf('\n', start - 1)
    if (start < 0) return text.slice(0, end)
  }
  return text.slice(start + 1, end)
}
