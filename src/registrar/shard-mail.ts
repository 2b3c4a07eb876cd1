import type { Transferable } from 'node:worker_threads';
import type { Joined, ShardMessage } from '../contract/shard-messages.ts';

/** The mailbox of a shard, as those see it who answer a shard's requests. */
export interface ShardMail {
  post(message: ShardMessage, transfer?: readonly Transferable[]): void;
  /** Stamps the answer with the head, and with where the shard has to read from before it may be applied. */
  postJoined(answer: Omit<Joined, 'kind' | 'from' | 'at'>): void;
}
