import postgres from 'postgres'

type Types = { bigint: number }

/** A pool of connections. Only who opened one may end it. */
export type Pool = postgres.Sql<Types>

/** A pool or a transaction on it: a query that takes this cannot tell, and need not. */
export type Db = Pool | postgres.TransactionSql<Types>

/**
 * The database's 64-bit integers as numbers: they are counts and sequences here.
 * One that a number cannot hold fails its statement and is never rounded.
 */
function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} from the database is too large for a number`)
  return value
}

const int8 = 20

/** What the server is told of a connection as it is opened, and then keeps to by itself; milliseconds. */
export type ConnectionLimits = Partial<
  Record<'statement_timeout' | 'idle_in_transaction_session_timeout' | 'client_connection_check_interval', number>
>

/** Twice the cores: throughput falls with many more. */
export const CONNECTIONS = 2 * navigator.hardwareConcurrency

type ConnectOptions = { max?: number; limits?: ConnectionLimits }

/**
 * A pool for `url`; nothing is opened before the first statement.
 *
 * `max` is the number of connections. A pooler in front of the server may refuse `limits`.
 * JSON columns come out parsed. No SQL array crosses the driver (`fetch_types` is off, which saves a round trip for each
 * connection): pass one JSON parameter in, and `to_json` out.
 */
export function connect(url: string, { max = CONNECTIONS, limits = {} }: ConnectOptions = {}): Pool {
  return postgres(url, {
    max,
    // While the server is away, each try fails one waiting statement: tries this often let requests know soon.
    connect_timeout: 5,
    backoff: (tries: number) => Math.min(0.05 * 2 ** tries, 0.5),
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'evalhub', ...limits },
    types: { bigint: { to: int8, from: [int8], serialize: String, parse: safeInteger } },
  })
}
