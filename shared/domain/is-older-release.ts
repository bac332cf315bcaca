/** True if release `one` came before `other`. Releases are `major.minor.patch`; what follows a `-` or `+` does not count. */
export function isOlderRelease(one: string, other: string): boolean {
  const [ones, others] = [numbersOf(one), numbersOf(other)]
  const at = ones.findIndex((number, index) => number !== others[index])
  return at !== -1 && (ones[at] ?? 0) < (others[at] ?? 0)
}

const numbersOf = (release: string): number[] => {
  const [major = 0, minor = 0, patch = 0] = (release.split(/[-+]/)[0] ?? '').split('.').map(Number)
  return [major, minor, patch]
}
