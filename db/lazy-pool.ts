import type postgres from 'postgres'
import type { Db, Pool } from './client.ts'
import type { Work } from './lane.ts'

type CarryOut = <Answer>(work: Work<Answer>, isStatement: boolean) => Promise<Answer>

/** What the driver keeps of a statement, and what carries it out. */
type Statement = { strings: TemplateStringsArray; args: never[]; carryOut: CarryOut; begun?: Promise<unknown> }

/**
 * A pool whose statements and transactions are carried out by `carryOut`, wherever that is. A statement begins when it is awaited, as the driver's own
 * do; one that is a part of another one never does. `template` makes them.
 */
export function poolOf(template: Pool, carryOut: CarryOut): Pool {
  const sql = (strings: TemplateStringsArray, ...args: never[]) => Object.assign(template(strings, ...args), LAZY, { carryOut })
  const begin = (work: (tx: Db) => Promise<unknown>) => carryOut((lane, sent) => lane.begin((tx) => work(noting(tx, sent))), false)
  // Of all that a pool has, these are what statements here are made with.
  return Object.assign(sql, { json: template.json, begin }) as unknown as Pool
}

/** In place of the driver's own, which would send the statement on a connection of the template. */
const LAZY: ThisType<Statement> & Pick<Promise<unknown>, 'then' | 'catch' | 'finally'> = {
  // oxlint-disable-next-line unicorn/no-thenable -- of a promise
  then(...handlers) {
    return begunOf(this).then(...handlers)
  },
  catch(handler) {
    return begunOf(this).catch(handler)
  },
  finally(handler) {
    return begunOf(this).finally(handler)
  },
}

function begunOf(statement: Statement): Promise<unknown> {
  const { strings, args, carryOut } = statement
  return (statement.begun ??= carryOut((lane, sent) => {
    const query = lane(strings, ...args)
    sent(query)
    return query
  }, true))
}

/** A transaction that tells of its statements. */
const noting = (tx: postgres.TransactionSql<{ bigint: number }>, sent: (query: PromiseLike<unknown>) => void) =>
  new Proxy(tx, {
    apply(target, self, args) {
      const query: unknown = Reflect.apply(target, self, args)
      if (query instanceof Promise) sent(query)
      return query
    },
  })
