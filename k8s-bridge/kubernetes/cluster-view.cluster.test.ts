import { test } from 'vitest'
import { NO_CLUSTER } from '../../test/cluster.ts'
import { findBinaries, startControlPlane } from '../../test/control-plane.ts'
import { describeClusterView } from './test-cluster-view-suite.ts'

const binaries = findBinaries()
// oxlint-disable-next-line vitest/no-conditional-tests -- one reason is printed rather than every test as skipped
if (binaries !== undefined) describeClusterView(() => startControlPlane(binaries))
// oxlint-disable-next-line vitest/expect-expect -- it only says that it was skipped
else test('runs on a control plane of its own', ({ skip }) => skip(NO_CLUSTER))
