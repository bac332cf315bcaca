/**
 * Asks for the memory that something of a footprint (`shared/domain/footprint.ts`) takes while it is read and answered, before it is read.
 * Waits for it, or refuses by throwing. It is given back at the end of the request, unless it is released before.
 *
 * Who has a connection that others need, as in a transaction, asks for it `atOnce`, and is refused if it is not free.
 */
export type Reserve = (footprint: number, how?: { atOnce?: boolean }) => Held | Promise<Held>

/** Released once more, it stays released. */
export type Held = { release: () => void }

/** For who reads nothing at anybody else's wish. */
export const UNBOUNDED: Reserve = () => ({ release: () => undefined })

/** What may be read without asking. */
export const SMALL_FOOTPRINT = 1024 * 1024
