import { ShardThread } from '../src/app/shard-thread.ts';

/** The thread holds exactly one shard for its whole life. */
const thread = new ShardThread();

/** Piscina calls this once per task, in order: one at a time, as the pool has one thread and one task a thread. */
export default function handle(task: Parameters<ShardThread['handle']>[0]): ReturnType<ShardThread['handle']> {
  return thread.handle(task);
}
