import { test } from '../../test/cluster.ts'
import { describeSecretHosts } from './test-secret-hosts-suite.ts'

describeSecretHosts(test)
