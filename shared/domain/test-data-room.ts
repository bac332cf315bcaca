const MAX_PACK_BYTES = 1024 ** 3
/** A file leaves most of its last block unused. */
const BLOCK_BYTES = 4096

/** What a git repository may send, compressed, if the data made of it may have `maxBytes`. */
export const packBytesFor = (maxBytes: number): number => Math.min(MAX_PACK_BYTES, maxBytes)

/** What test data take of a disk at most: what git sends lies beside the files until all are made. */
export const testDataRoom = ({ maxBytes, maxFiles }: { maxBytes: number; maxFiles: number }): number =>
  maxBytes + maxFiles * BLOCK_BYTES + packBytesFor(maxBytes)
