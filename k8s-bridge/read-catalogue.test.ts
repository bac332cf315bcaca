import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { readCatalogue } from './read-catalogue.ts'
import { test } from './test-catalogue.ts'

const messageOf = (directories: string[]) => readCatalogue(directories).then(String, (error: Error) => error.message)

describe('readCatalogue', () => {
  // Guarantee: no file of a catalogue is passed over because of its ending.
  test.for(['yml', 'yaml', 'YML', 'Yaml'])('reads *.%s, and says what is wrong in it', async (ending, { folder, write }) => {
    await write(`providers/a.${ending}`, 'id: a\n')
    await write(`collections/b.${ending}`, 'id: b\nname: B\ncategory: x\nbenchmarks:\n  - id: one\n    provider_id: a\n')
    const { catalogue } = await readCatalogue([folder])
    expect([catalogue.providers, catalogue.collections].map((list) => list.map(({ id }) => id))).toEqual([['a'], ['b']])

    await write(`providers/c.${ending}`, 'name: nobody\n')
    expect(await messageOf([folder])).toContain(`providers/c.${ending} is not valid: line 1: id: is missing`)
  })

  test('names every bad file, with line, place and reason, in one message', async ({ folder, write }) => {
    await write(
      'providers/a.yaml',
      'id: a\nbenchmarks:\n  - id: one\n  - id: two\n    dataset_size: many\n    primary_score:\n      lower_is_better: 1\n',
    )
    await write('providers/b.yaml', 'id: b\nname: [unclosed\n')
    await write('providers/c.yaml', 'name: nobody\n')
    await write('providers/good.yaml', 'id: good\n')
    await write('providers/runtime.yaml', 'id: r\nruntime:\n  k8s:\n    image: x\n    cpu_request: 2\n')
    await write(
      'collections/d.yaml',
      'collection_id: d\nname: D\ntags: ["a,b"]\ncategory: x\nbenchmarks:\n  - benchmark_id: 7\n    provider_id: p\n',
    )
    const lines = (await messageOf([folder])).split('\n').map((line) => line.replaceAll(join(folder, '/'), ''))
    expect(lines).toEqual([
      'The catalogue file providers/a.yaml is not valid: line 5: benchmarks[1].dataset_size: Invalid input: expected number, received string',
      'The catalogue file providers/a.yaml is not valid: line 6: benchmarks[1].primary_score.metric: is missing',
      'The catalogue file providers/a.yaml is not valid: line 7: benchmarks[1].primary_score.lower_is_better: Invalid input: expected boolean, received number',
      expect.stringMatching(/^The catalogue file providers\/b\.yaml is not valid: line [23]: Flow sequence/),
      'The catalogue file providers/c.yaml is not valid: line 1: id: is missing',
      'The catalogue file providers/runtime.yaml is not valid: line 5: runtime.k8s.CPURequest: must be text: put 2 in quotes',
      'The catalogue file collections/d.yaml is not valid: line 3: tags[0]: must have 1 to 128 characters, and neither , nor |',
      'The catalogue file collections/d.yaml is not valid: line 6: benchmarks[0].id: must be text: put 7 in quotes',
    ])
  })

  test.for([
    ['', /id: /],
    ['- a\n- b\n', /the file: .*expected object/],
    ['id: a\nid: b\n', /line 2: Map keys must be unique/],
    ['id: a\n---\nid: b\n', /multiple documents/],
    ['id: *nothing\n', /nothing/],
    [`id: ${'x'.repeat(37)}\n`, /line 1: id: Too big/],
  ] as [string, RegExp][])('refuses %j', async ([text, why], { folder, write }) => {
    await write('providers/x.yaml', text)
    expect(await messageOf([folder])).toMatch(why)
  })

  test('ignores unknown keys and keeps the case of a user’s', async ({ folder, write }) => {
    await write(
      'providers/p.yaml',
      `id: p
shoe_size: 43
parameters: [{ name: x }]
runtime:
  k8s:
    image: x
    gpu: { count: 1, node_selector: { nvidia.com/gpu.product: NVIDIA-A100 } }
    env: [{ name: HF_Home, value: /cache }]
  local: null
`,
    )
    await write(
      'collections/c.yaml',
      'id: c\nname: C\ncategory: x\nbenchmarks: [{ id: b, provider_id: p, parameters: { maxTokens: 5, Nested: { CamelCase: null } } }]\n',
    )
    const { catalogue } = await readCatalogue([folder])
    expect(catalogue.providers).toEqual([
      expect.objectContaining({
        id: 'p',
        runtime: {
          k8s: expect.objectContaining({
            Env: [{ Name: 'HF_Home', Value: '/cache' }],
            gpu: { count: 1, node_selector: { 'nvidia.com/gpu.product': 'NVIDIA-A100' } },
          }),
        },
      }),
    ])
    expect(catalogue.providers[0]).not.toHaveProperty('shoe_size')
    expect(catalogue.collections[0]?.benchmarks[0]?.parameters).toEqual({ maxTokens: 5, Nested: { CamelCase: null } })
  })

  test('takes benchmark_id and collection_id for id', async ({ folder, write }) => {
    await write('providers/p.yaml', 'id: p\nbenchmarks: [{ benchmark_id: b }, { id: own, benchmark_id: other }]\n')
    await write('collections/c.yaml', 'collection_id: c\nname: C\ncategory: x\nbenchmarks: [{ benchmark_id: b, provider_id: p }]\n')
    const { providers, collections } = (await readCatalogue([folder])).catalogue
    expect(providers[0]?.benchmarks?.map(({ id }) => id)).toEqual(['b', 'own'])
    expect(collections).toMatchObject([{ id: 'c', benchmarks: [{ id: 'b' }] }])
  })

  test('of two files with one id takes the later, and says so', async ({ folder, write }) => {
    const first = await write('one/providers/a.yaml', 'id: p\nname: first\n')
    const second = await write('one/providers/b.yaml', 'id: p\nname: second\n')
    const third = await write('two/providers/a.yaml', 'id: p\nname: third\n')
    const { catalogue, doubles } = await readCatalogue([join(folder, 'one'), join(folder, 'two')])
    expect(catalogue.providers).toMatchObject([{ id: 'p', name: 'third' }])
    expect(doubles).toEqual([
      `The provider p of ${second} replaces that of ${first}`,
      `The provider p of ${third} replaces that of ${second}`,
    ])
  })

  test('reads *.yaml of the folders alone, and what editors leave there never', async ({ folder, write }) => {
    await write('providers/p.yaml', 'id: p\n')
    await write('providers/p.yaml~', 'no: [yaml')
    await write('providers/.p.yaml', 'no: [yaml')
    await write('providers/deeper/q.yaml', 'no: [yaml')
    await write('collections/readme.md', 'no: [yaml')
    await symlink('nowhere', join(folder, 'providers', '.#p.yaml'))
    expect((await readCatalogue([folder])).catalogue).toMatchObject({ providers: [{ id: 'p' }], collections: [] })
  })

  test('names a directory without both folders, and a file that cannot be read', async ({ folder, write }) => {
    expect(await messageOf([folder, join(folder, 'nowhere')])).toBe(
      `The catalogue ${folder} has neither a folder providers nor a folder collections\n` +
        `The catalogue ${join(folder, 'nowhere')} has neither a folder providers nor a folder collections`,
    )
    await write('providers/p.yaml', 'id: p\n')
    await symlink('nowhere', join(folder, 'providers', 'gone.yaml'))
    expect(await messageOf([folder])).toMatch(/gone\.yaml is not valid: ENOENT/)
    await writeFile(join(folder, 'collections'), 'a file')
    expect(await messageOf([folder])).toMatch(/folder .*collections cannot be read: ENOTDIR/)
  })
})
