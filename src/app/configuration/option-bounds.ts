import { assert } from '../../core/assert.ts';
import { batchBytesMax, streamExecutionsMax } from '../../core/limits.ts';

/** What an option may be set to, where the reason is not the option's own: its unit stands in its name, its reason above it. */

/** TCP. 0 asks the system for a free one. */
export const portMax = 65_535;

/** Below a minute a router that restarts would find its cursors gone. */
export const retentionAgeMsMin = 60_000;
/** Ten years: beyond it a store, not an event journal, is wanted; also keeps ages far inside a Number. */
export const retentionAgeMsMax = 315_360_000_000;
/** Sixteen of the largest batches, so that what was just appended is never trimmed before anybody could read it. */
export const retentionBytesMin = 16_777_216;
/** 16 TiB: below what one LMDB map can address on 64 bit, above what one disk of today holds. */
export const retentionBytesMax = 17_592_186_044_416;
/** Executions kept at least: as many as one stream may watch. */
export const executionsKeptMin: number = 10_000;
/** An entry of the registry takes about 500 bytes of memory in the router: 10 M are 5 GB. */
export const executionsKeptMax = 10_000_000;
/** Below it a publisher's own retry would be appended twice. */
export const idempotencyAgeMsMin = 1_000;
/** As for retention: a key is about 100 bytes on disk, 100 M of them 10 GB. */
export const idempotencyKeysMax = 100_000_000;
/** Sockets of one process: Linux gives a process about a million descriptors at most (`fs.nr_open`). */
export const connectionsMax = 1_000_000;
/** Events a second that a rate may be set to: an order above what one journal takes. */
export const publishRateMax = 10_000_000;
/** Entries of one list option: each is compared with each request. */
export const listEntriesMax = 256;

assert(executionsKeptMin >= streamExecutionsMax, 'the registry must hold what one stream may watch');
assert(retentionBytesMin >= batchBytesMax * 16, 'retention must keep many batches');
