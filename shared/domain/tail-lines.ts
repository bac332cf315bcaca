/** The last `count` lines of `text`, without its final newline; all of it, as it is, for -1. */
export function tailLines(text: string, count: number): string {
  if (count < 0) return text
  const end = text.endsWith('\n') ? text.length - 1 : text.length
  let start = end
  for (let lines = 0; lines < count && start >= 0; lines++) start = text.lastIndexOf('\n', start - 1)
  // A search from before the beginning finds the beginning again, so it ends here.
  return text.slice(start < 0 ? 0 : start + 1, end)
}
