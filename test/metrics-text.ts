/** One time series of Prometheus' text. */
export type Sample = { name: string; labels: Record<string, string>; value: number }

/** Every sample of a scrape; throws at a line that is none. */
export function parseMetrics(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
      if (!match) throw new Error(`not a sample: ${line}`)
      const [, name = '', labels = '', value] = match
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]): [string, string] => [key!, text!])
      return { name, labels: Object.fromEntries(pairs), value: Number(value) }
    })
}

/** The value of the series with these labels and perhaps more; undefined without one. */
export const valueOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined =>
  samples.find((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value
