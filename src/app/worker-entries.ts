/** The compiled thread entries, from build/src/app: a path that a new thread loads, which no compiler rewrites. */
export const workerEntries = {
  shard: new URL('../../workers/shard.worker.js', import.meta.url),
  bus: new URL('../../workers/bus.worker.js', import.meta.url),
} as const;
