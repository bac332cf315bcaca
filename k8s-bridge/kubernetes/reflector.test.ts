import { describeReflector } from './test-reflector-suite.ts'
import { startApiServer } from './test-api-server.ts'

describeReflector(startApiServer)
