/**
 * Loaded into a bridge before its program (`node --import`): from then on its wall clock jumps by `CLOCK_JUMP_MS` with every second SIGUSR2, and back.
 * Only what the program asks of JavaScript jumps; monotonic clocks, time-outs and TLS go on as they are.
 */

const RealDate = Date
const jumpMs = Number(process.env.CLOCK_JUMP_MS)
let offsetMs = 0

globalThis.Date = new Proxy(RealDate, {
  construct: (target, parameters, newTarget) =>
    Reflect.construct(target, parameters.length === 0 ? [RealDate.now() + offsetMs] : parameters, newTarget),
  get: (target, name, receiver) => (name === 'now' ? () => RealDate.now() + offsetMs : Reflect.get(target, name, receiver)),
})

process.on('SIGUSR2', () => void (offsetMs = offsetMs === 0 ? jumpMs : 0))
