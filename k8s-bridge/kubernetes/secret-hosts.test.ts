import { describe, expect, test } from 'vitest'
import { test as testInProcess } from '../../test/in-process-cluster.ts'
import { describeSecretHosts } from './test-secret-hosts-suite.ts'
import { destinationsOf, judgeHosts, type Destination } from './secret-hosts.ts'
import { attemptFor, inBase64, settings, type Changes } from './test-attempt.ts'

const to = (url: string, isChosen = true): Destination => ({ what: 'model.url', url, isChosen })
const judge = (hosts: string | undefined, destinations: readonly Destination[], mode: 'warn' | 'require' = 'warn') =>
  judgeHosts({ secret: 'keys', namespace: 'team-a', hosts, destinations }, mode)

describe('a list of hosts', () => {
  test.each([
    ['model.example', 'https://model.example/v1'],
    ['model.example', 'http://model.example:8000/v1'],
    ['model.example', 'https://MODEL.Example./v1'],
    ['Model.Example.', 'https://model.example'],
    ['model.example:443', 'https://model.example'],
    ['model.example:80', 'http://model.example'],
    ['model.example:8443', 'https://model.example:8443/v1'],
    ['*.example', 'https://a.b.example'],
    ['*.Example.:443', 'https://a.example/'],
    ['other.example, model.example', 'https://model.example'],
    ['other.example model.example', 'https://model.example'],
    ['\n  other.example,,\n  model.example\n', 'https://model.example'],
    ['bücher.example', 'https://xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'https://BÜCHER.example'],
    ['*.bücher.example', 'https://a.xn--bcher-kva.example'],
    ['10.0.0.1', 'http://10.0.0.1:8000'],
    ['10.0.0.1', 'http://0x0a.1:8000'],
    ['[fd00::1]', 'http://[FD00:0::1]:8000'],
    ['[fd00::1]:8000', 'http://[fd00::1]:8000'],
    ['model.example', 'https://user:word@model.example/v1'],
    ['vllm', 'http://vllm:8000/v1'],
  ])('"%s" has the host of %s', (hosts, url) => {
    expect(judge(hosts, [to(url)], 'require')).toBeUndefined()
  })

  test.each([
    ['model.example', 'https://evil.example'],
    ['model.example', 'https://model.example.evil'],
    ['model.example', 'https://a.model.example'],
    ['model.example', 'https://model.example@evil.example'],
    ['model.example', 'https://evil.example/model.example'],
    ['model.example', 'https://evil.example#model.example'],
    ['model.example', 'https://mоdel.example'], // Its о is Cyrillic.
    ['model.example:443', 'http://model.example'],
    ['model.example:443', 'https://model.example:8443'],
    ['*.example', 'https://example'],
    ['*.example.org', 'https://evilexample.org'],
    ['*.example.org', 'https://example.org.evil'],
    ['*.example:443', 'https://a.example:8443'],
    ['10.0.0.1', 'http://10.0.0.10'],
    ['fd00.example', 'http://[fd00::1]'],
  ])('"%s" has not the host of %s, and the run is refused in both modes', (hosts, url) => {
    for (const mode of ['warn', 'require'] as const) {
      expect(judge(hosts, [to(url)], mode)).toMatchObject({ refusal: expect.stringMatching(/^The Secret keys .* may not go to /) })
    }
  })

  test.each([
    'https://model.example',
    'model.example/v1',
    'user@model.example',
    '*',
    '*.',
    'a.*.example',
    'model.*',
    'model.example:',
    'model.example:0',
    'model.example:65536',
    'model.example:80:90',
    '[fd00::1',
    'fd00::1',
    '*.0.0.1',
    '*.[fd00::1]',
    'mod%65l.example',
    '..example',
    'model.example\u0000',
    '"model.example"',
    '',
    ' , ',
  ])('%j is none: it lets nothing through, and what is wrong is shown', (hosts) => {
    for (const mode of ['warn', 'require'] as const) {
      const verdict = judge(hosts, [to('https://model.example')], mode)
      expect(verdict).toMatchObject({
        refusal: expect.stringMatching(/^The annotation evalhub\/hosts of the Secret keys in namespace team-a /),
      })
      expect(verdict).toMatchObject({ refusal: expect.stringContaining('such as model.example, model.example:8443 or *.example.com') })
      expect(verdict).toMatchObject({
        refusal: expect.stringContaining(hosts.trim() === '' || hosts === ' , ' ? 'names no host' : `'${hosts.replace('\u0000', '�')}'`),
      })
    }
  })

  test('of which one entry is none is none, and only the entry is shown, as far as a sentence has room for it', () => {
    const verdict = judge(`model.example, ${'x'.repeat(5000)}/`, [to('https://model.example')])
    expect(verdict).toMatchObject({ refusal: expect.stringMatching(/: 'x{100}…' is no host/) })
  })
})

describe('a Secret without a list', () => {
  test('is refused where one is required, with the command that makes it', () => {
    expect(judge(undefined, [to('https://Model.example:8443/v1')], 'require')).toEqual({
      refusal:
        'The Secret keys in namespace team-a does not say to which hosts it may go, and this EvalHub sends none that does not. ' +
        'model.url would send it to model.example:8443. ' +
        "If it may go there, whoever keeps it says so: kubectl -n team-a annotate secret keys evalhub/hosts='model.example:8443'",
    })
  })

  test('goes on with a warning else, in one line', () => {
    expect(
      judge(undefined, [to('https://model.example/v1'), { what: 'needs_hf_token', url: 'https://huggingface.co', isChosen: true }]),
    ).toEqual({
      warning:
        'The Secret keys in namespace team-a does not say to which hosts it may go, so whoever names it can have it sent anywhere: ' +
        'here model.url to model.example, needs_hf_token to huggingface.co. To bind it: ' +
        "kubectl -n team-a annotate secret keys evalhub/hosts='model.example,huggingface.co'",
    })
  })

  test.each(['warn', 'require'] as const)(
    'is nobody’s concern where the operator alone says where it goes, or nothing of it is sent: %s',
    (mode) => {
      expect(judge(undefined, [to('https://huggingface.co', false)], mode)).toBeUndefined()
      expect(judge(undefined, [], mode)).toBeUndefined()
      expect(judge('no host/', [], mode)).toBeUndefined()
    },
  )
})

test('a list holds also for hosts that the operator named, and the command adds to it', () => {
  expect(judge('s3.example', [to('https://huggingface.co', false)])).toEqual({
    refusal:
      'The Secret keys in namespace team-a may not go to huggingface.co:443, where model.url would send it: its annotation evalhub/hosts has s3.example. ' +
      "If it may go there, whoever keeps it says so: kubectl -n team-a annotate --overwrite secret keys evalhub/hosts='s3.example,huggingface.co:443'",
  })
})

// Guarantee: the command can be copied by whoever may change Secrets, though others chose what is in it.
test('nothing that means something to a shell gets into the command, nor a list that is long', () => {
  const commandOf = (hosts: string | undefined, url: string) =>
    /kubectl.*$/.exec(Object.values(judge(hosts, [to(url)]) ?? {}).join(''))?.[0]
  for (const host of ["x';reboot;'.example", 'x$(reboot).example', 'x`reboot`.example', 'x&reboot.example']) {
    expect(commandOf(undefined, `https://${host}`)).toBe("kubectl -n team-a annotate secret keys evalhub/hosts='HOST'")
  }
  expect(commandOf('a.example *.bücher.example:8443', 'https://b.example')).toBe(
    "kubectl -n team-a annotate --overwrite secret keys evalhub/hosts='a.example,*.xn--bcher-kva.example:8443,b.example:443'",
  )
  expect(commandOf('a.example,'.repeat(1000), 'https://b.example')).toBe(
    "kubectl -n team-a annotate --overwrite secret keys evalhub/hosts='LIST,b.example:443'",
  )
})

describe('what a run would send, and where', () => {
  const auth = { secret_ref: 'keys' }
  const model = (data: Record<string, string>, changes: Changes = {}) =>
    destinationsOf.model(
      attemptFor({ request: { model: { url: 'https://model.example/v1', name: 'm', auth } }, ...changes }),
      settings,
      inBase64(data),
    )
  const needing = (fromCatalogue: boolean): Changes => ({
    spec: { runtime: { k8s: { ...attemptFor().spec.runtime.k8s!, needs_hf_token: true } }, from_catalogue: fromCatalogue },
  })

  test.each<[string, Record<string, string>, Changes, Destination[]]>([
    ['a key, to the model', { 'api-key': 'k' }, {}, [to('https://model.example/v1')]],
    ['a judge’s key without an address, to the model', { 'judge_api-key': 'k' }, {}, [to('https://model.example/v1')]],
    ['a judge’s token with a blank address, to the model', { judge_sa_token: 'k', judge_url: ' ' }, {}, [to('https://model.example/v1')]],
    [
      'the key of no service, whatever else is in the Secret',
      { 'api-key': 'k', _url: 'https://judge.example' },
      {},
      [to('https://model.example/v1')],
    ],
    ['nothing but to the address that the Secret itself has', { 'judge_api-key': 'k', judge_url: 'https://judge.example' }, {}, []],
    ['nothing that is no credential', { ca_cert: 'PEM', other: 'x', 'hf-token': 'h' }, {}, []],
    ['nothing without a model', { 'api-key': 'k' }, { request: { model: { url: '', name: 'm', auth } } }, []],
    [
      'hf-token to the hub, for an adapter that the operator chose',
      { 'hf-token': 'h' },
      needing(true),
      [{ what: 'needs_hf_token', url: 'https://huggingface.co', isChosen: false }],
    ],
    [
      'hf-token to the hub, for an adapter that a tenant chose',
      { 'hf-token': 'h' },
      needing(false),
      [{ what: 'needs_hf_token', url: 'https://huggingface.co', isChosen: true }],
    ],
  ])('%s', (_what, data, changes, expected) => {
    expect(model(data, changes)).toEqual(expected)
  })

  test('data of a run: a git Secret to the URL, a Hugging Face one to the operator’s hub, an S3 one where it says itself', () => {
    const data = (reference: NonNullable<NonNullable<Changes['spec']>['test_data_ref']>) =>
      destinationsOf.testData(attemptFor({ spec: { test_data_ref: reference } }), {
        ...settings,
        huggingFaceEndpoint: 'https://hf.example',
      })
    expect(data({ git: { url: 'https://git.example/a.git', ref: 'main', secret_ref: 'keys' } })).toEqual({
      secret: 'keys',
      destinations: [{ what: 'test_data_ref.git.url', url: 'https://git.example/a.git', isChosen: true }],
    })
    expect(data({ hf: { repo_id: 'a/b', secret_ref: 'keys' } })).toEqual({
      secret: 'keys',
      destinations: [{ what: 'test_data_ref.hf', url: 'https://hf.example', isChosen: false }],
    })
    expect(data({ git: { url: 'https://git.example/a.git', ref: 'main' } })).toBeUndefined()
    expect(data({ hf: { repo_id: 'a/b', secret_ref: '' } })).toBeUndefined()
    expect(data({ s3: { bucket: 'b', key: 'k', secret_ref: 'keys' } })).toBeUndefined()
  })
})

describeSecretHosts(testInProcess)
