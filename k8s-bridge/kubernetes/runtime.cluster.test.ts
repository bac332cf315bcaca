import { bareTest } from '../../test/cluster.ts'
import { describeRuntime } from './test-runtime-suite.ts'

describeRuntime(bareTest)
