import { describe, expect, test } from 'vitest'
import { overrideRemarks, parameterRemarks } from './request-remarks.ts'

describe('parameterRemarks', () => {
  test.each<[Record<string, unknown>, RegExp[]]>([
    [{ num_examples: 'ten' }, [/^num_examples is "ten", which is no number: all items are evaluated\.$/]],
    [{ num_examples: 2.5 }, [/^num_examples is 2\.5, which is no whole number: it is taken as 2\.$/]],
    [{ num_examples: true }, [/^num_examples is true, which is no number/]],
    [{ num_examples: ['a'.repeat(1_000_000)] }, [/^num_examples is a list, which is no number/]],
    [{ num_examples: { a: 1 } }, [/^num_examples is an object,/]],
    [{ num_examples: 'x'.repeat(1_000_000) }, [/^num_examples is "x{64}…", which/]],
    [{ timeout_seconds: '60' }, [/^timeout_seconds is "60", which is no number above 0: the benchmark may take 600 seconds\.$/]],
    [{ timeout_seconds: 0 }, [/^timeout_seconds is 0/]],
    [{ num_examples: '1', timeout_seconds: -1 }, [/num_examples/, /timeout_seconds/]],
    [{ num_examples: 10, timeout_seconds: 1.5, other: 'ten' }, []],
    [{ num_examples: null, timeout_seconds: null }, []],
    [{}, []],
  ])('of %o', (parameters, remarks) => {
    expect(parameterRemarks(parameters, 600)).toEqual(remarks.map((text) => expect.stringMatching(text)))
  })
})

describe('overrideRemarks', () => {
  const givers = (...entries: [string, string][]) => new Map(entries)
  const nothing = { own: {}, givers: givers(), override: undefined }
  const override = (more: object) => ({ id: 'a', provider_id: 'p', ...more })

  test.each<[string, Partial<Parameters<typeof overrideRemarks>[0]>, RegExp[]]>([
    [
      'what was given to another benchmark',
      { givers: givers(['num_examples', 'b']) },
      [
        /^num_examples is given to b by the job, and so to every benchmark of this provider in the collection, this one too: effective_param/,
      ],
    ],
    ['several of them', { givers: givers(['x', 'b'], ['y', 'b']) }, [/^x and y are given to b by the job/]],
    [
      'many of them',
      { givers: givers(['v', 'b'], ['w', 'c'], ['x', 'b'], ['y', 'b'], ['z', 'b']) },
      [/^v, w, x and others are given to b and others/],
    ],
    ['nothing of what was given to itself', { givers: givers(['x', 'a']), override: override({ parameters: { x: 1 } }) }, []],
    ['nothing of another’s where the collection has its own', { own: { x: null }, givers: givers(['x', 'b']) }, []],
    [
      'what the collection has otherwise',
      { own: { x: 1 }, givers: givers(['x', 'a']), override: override({ parameters: { x: 2 } }) },
      [/^x is the collection's, and not the job's\.$/],
    ],
    [
      'what judges it',
      { override: override({ weight: 2, pass_criteria: { threshold: 1 } }) },
      [/^weight and pass_criteria are the collection's: a job cannot change how it is judged\.$/],
    ],
    ['nothing of nothing', {}, []],
  ])('tell %s', (_, more, remarks) => {
    expect(overrideRemarks({ id: 'a', ...nothing, ...more })).toEqual(remarks.map((text) => expect.stringMatching(text)))
  })

  test('are short, whatever they repeat', () => {
    const long = Array.from({ length: 10 }, (_, at): [string, string] => [`${at}`.padEnd(100_000, 'x'), 'y'.repeat(512)])
    const all = { override: override({ parameters: Object.fromEntries(long) }), own: {}, givers: new Map(long) }
    expect(overrideRemarks({ id: 'a', ...all }).join().length).toBeLessThan(700)
  })
})
