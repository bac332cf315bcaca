/** The oldest Node whose language EvalHub uses (`AsyncDisposableStack`). */
export const NODE_MIN = 24

/** The line for whoever starts EvalHub with an older one; undefined if it will do. `version` as in `process.versions.node`. */
export function nodeComplaint(version: string): string | undefined {
  return Number.parseInt(version, 10) < NODE_MIN ? `evalhub: needs Node ${NODE_MIN} or newer, and this is Node ${version}` : undefined
}

/** The same at the head of a built program, before anything of it runs: in words that every Node understands. */
export const NODE_CHECK =
  `if (Number.parseInt(process.versions.node, 10) < ${NODE_MIN}) ` +
  `{ console.error('evalhub: needs Node ${NODE_MIN} or newer, and this is Node ' + process.versions.node); process.exit(1); }`
