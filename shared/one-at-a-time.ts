/** What this needs of Node's request and answer. An answer has no socket until those before it on the same connection are sent. */
type Incoming = { socket: { destroy: () => unknown } }
type Outgoing = { socket: unknown; once: (event: 'socket', begin: () => void) => unknown }

/** Requests of a connection that may wait for the one before: few, since each takes as much memory as headers may. No client that we know sends any ahead. */
const MAX_AHEAD = 3

/**
 * Of the requests of one connection `answer` is given one at a time: what comes before the answer to the one before was sent waits for that. Who
 * sends more ahead is cut off at once: HTTP lets a client do so, but Node reads and keeps whatever one packet brings, thousands of requests, until
 * the first is answered. What has not begun when its connection ends never begins.
 *
 * It bounds what it is given: a server that strangers reach gives it also what Node would answer itself, which is what comes without `Host`
 * (`requireHostHeader`) or expects what nobody knows (`checkExpectation`).
 */
export function oneAtATime<Request extends Incoming, Response extends Outgoing>(
  answer: (request: Request, response: Response) => unknown,
): (request: Request, response: Response) => void {
  const ahead = new WeakMap<object, number>()
  return (request, response) => {
    const { socket } = request
    if (response.socket !== null) return void answer(request, response)
    const count = (ahead.get(socket) ?? 0) + 1
    if (count > MAX_AHEAD) return void socket.destroy()
    ahead.set(socket, count)
    response.once('socket', () => {
      ahead.set(socket, (ahead.get(socket) ?? 1) - 1)
      answer(request, response)
    })
  }
}
