import { test } from '../../test/in-process-cluster.ts'
import { describeLaunch } from './test-launch-suite.ts'

describeLaunch(test)
