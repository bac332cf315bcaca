import { readFile } from 'node:fs/promises'
import { describe, expect } from 'vitest'
import { claimLaunches } from '#db/commands/claim-launches.ts'
import { recordLaunches } from '#db/commands/record-launch.ts'
import { listUnsettledRuns } from '#db/queries/unsettled-runs.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { test as base, textOf } from '../test-bridge.ts'
import { createLocalRuntime } from './runtime.ts'
import { DEFAULT_TEST_DATA_LIMITS } from './test-data.ts'

const test = base.extend('runtime', async ({ db, directory }, { onCleanup }) => {
  const runtime = createLocalRuntime({
    db,
    holder: 'here',
    hubId: directory,
    baseDirectory: `${directory}/jobs`,
    callbackUrl: 'http://127.0.0.1:1',
    environment: process.env,
    hiddenVariables: [],
    folders: { open: [directory], closed: [] },
    home: '/opt/evalhub',
    node: 'laptop',
    maxParallel: 8,
    allowProviderCommands: false,
    testData: { limits: DEFAULT_TEST_DATA_LIMITS, secretsFolder: `${directory}/secrets` },
    graceMs: 0,
    onError: () => {},
  })
  onCleanup(() => runtime.close())
  return runtime
})

const begun = (directory: string) => `echo $$ >> ${directory}/begun; exec sleep 100`

describe('launch', () => {
  // Guarantee: on a machine so busy that a lease runs out while a process is started, nothing runs twice, nor loses its files.
  test('of a run that is being launched starts no second process and takes no files away', async ({ db, directory, runtime }) => {
    await submitSpecs(db, [specFor(begun(directory))])
    const {
      claims: [claim],
    } = await claimLaunches(db, { holder: 'here', limit: 1, leaseSeconds: 10 })

    const launched = await Promise.all([1, 2, 3].map(() => runtime.launch(claim!, 8000)))

    const pid = (await textOf(`${directory}/begun`)).trim()
    expect(launched.map((outcome) => 'objectUid' in outcome && outcome.objectUid)).toEqual([1, 2, 3].map(() => `pid:${pid}`))
    expect(await runtime.launch(claim!, 8000)).toEqual({ objectUid: `pid:${pid}` })
    expect((await readFile(`${directory}/begun`, 'utf8')).trim()).toBe(pid)
    await expect(runtime.launch({ ...claim!, attempt: 2 }, 8000)).rejects.toThrow('an earlier attempt of the run is still ending')
  })

  test('that failed is tried again', async ({ db, directory, runtime }) => {
    await submitSpecs(db, [specFor(`echo "$EVALHUB_JOB_SPEC_PATH" > ${directory}/begun; exec sleep 100`)])
    const {
      claims: [claim],
    } = await claimLaunches(db, { holder: 'here', limit: 1, leaseSeconds: 10 })

    await expect(runtime.launch({ ...claim!, spec: { ...claim!.spec, runtime: { local: { command: 'x\0' } } } }, 8000)).rejects.toThrow(
      'null bytes',
    )

    expect(await runtime.launch(claim!, 8000)).toHaveProperty('objectUid')
    expect(await readFile((await textOf(`${directory}/begun`)).trim(), 'utf8')).toContain('benchmark')
  })
})

describe('absence', () => {
  // Guarantee: a run that was launched and recorded while a pass looked is not taken for lost, whatever the pass had seen before.
  test('is not told of what this bridge runs, also if it was launched after the picture was taken', async ({ db, directory, runtime }) => {
    await submitSpecs(db, [specFor(begun(directory))])
    const { claims } = await claimLaunches(db, { holder: 'here', limit: 1, leaseSeconds: 10 })
    const [claim] = claims
    expect(runtime.observe()).toEqual([])
    await runtime.launch(claim!, 8000)
    await recordLaunches(db, 'here', [{ ...claim!, objectUid: 'pid:0' }])
    const [run] = await listUnsettledRuns(db, { present: [], limit: 9, everyLaunched: true })

    expect(runtime.absence({ ...run!, launch: { ...run!.launch!, objectUid: null } })).toBe('unknown')
    expect(runtime.absence({ ...run!, attempt: 2, launch: { ...run!.launch!, objectUid: null } })).toMatchObject({
      failureClass: 'hub_restarted',
    })
  })
})
