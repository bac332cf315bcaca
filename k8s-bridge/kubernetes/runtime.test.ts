import { test } from '../../test/in-process-cluster.ts'
import { describeRuntime } from './test-runtime-suite.ts'

describeRuntime(test)
