import type { JournalStats } from './journal.ts';

/** What the main thread tells the bus's thread. */
export type BusCommand =
  | { readonly kind: 'stop' }
  | { readonly kind: 'stats' }
  /** Once it is ready: it answers `pong` as soon as its loop turns. */
  | { readonly kind: 'ping' };

/** What the bus's thread tells the main thread. After `failed` or `stopped` the thread ends by itself. */
export type BusReport =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: 1 | 2 }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'stats'; readonly stats: JournalStats }
  | { readonly kind: 'pong' }
  | { readonly kind: 'stopped' };
