import { assert } from './assert.ts';

/**
 * Every bound of the program that is not an option: its unit stands in its name, its reason above it, and what happens at it in
 * docs/ARCHITECTURE.md. Relations between bounds are asserted at the end, when the module loads.
 */

/** One event as the JSON of its `data:` line. CloudEvents 1.0 asks consumers to accept 64 KiB; proxies and browsers do. */
export const eventJsonBytesMax: number = 65_536;

/** One publish. Below grpc-js's default of 4 MiB with room for framing, and 1 MiB is about 2 ms of journal work. */
export const batchBytesMax = 1_048_576;

/** Events in one publish: what one LMDB transaction appends in about a millisecond. */
export const batchEventsMax = 1_000;

/** A stage is a place in a pipeline, not a document. */
export const stageBytesMax = 512;
/** Deeper than any pipeline seen; bounds the walk of the index. */
export const stageSegmentsMax = 32;

/** S3's own bound on a key. */
export const pathBytesMax = 1_024;
/** Bounds the walk of the index. */
export const pathSegmentsMax = 64;

/** Small labels: 32 x (128 + 1,024) bytes = 36 KiB, well inside `eventJsonBytesMax`. */
export const metadataKeysMax = 32;
export const metadataKeyBytesMax = 128;
export const metadataValueBytesMax = 1_024;

/** `content_type`, `checksum`: longer than any registered media type (RFC 6838: 127 + 127) or SHA-512 digest. */
export const shortTextBytesMax = 512;
/** A URI that browsers and proxies still take. */
export const uriBytesMax = 4_096;
/** A publisher's own id, the idempotency key. 10 M keys of 256 bytes would be 2.5 GB; typical ones are 36. */
export const sourceIdBytesMax = 256;

/** A tag is a name that people type. */
export const tagBytesMax = 128;
/** Tags on one execution; its registry entry stays below 16 KiB. */
export const executionTagsMax = 100;
/** The reason of a failure: a line or two, not a log. */
export const reasonBytesMax = 1_024;

/** Values of `execution_id` in one request: 1,000 UUIDs are a request line of 50 KiB, inside `requestHeadBytesMax`. */
export const requestValuesMax = 1_000;
/** Executions that the tags of one request may stand for when it joins: its `ready` frame stays below 1 MiB. */
export const streamExecutionsMax = 10_000;

/** One gRPC message that either side takes: a batch of 1 MiB with its framing, or one over-long publish that is answered in words. */
export const grpcMessageBytesMax = 4_194_304;
/** HTTP/2 window of a subscription: two batches, so that the next is on its way while one is handled. */
export const grpcWindowBytes = 2_097_152;
/** Publishes of one PublishStream between request and reply. */
export const publishesInFlightMax = 64;
/** The bus lets unary calls finish for this long when it stops. */
export const busStopMs = 2_000;
/** A Describe of the bus answers from memory and a few reads. */
export const describeDeadlineMs = 5_000;

/** Appends that wait for the commit before them, over all publishers; above it RESOURCE_EXHAUSTED. Their encoded bytes likewise. */
export const appendsPendingMax = 8_192;
export const appendBytesPendingMax = 134_217_728;
/** One group commit: 4 MiB is about 10 ms of encoding, which is how long the bus's loop may be held. */
export const commitBytesMax: number = 4_194_304;
export const commitRecordsMax: number = 8_192;

/** Records that one step of retention takes away in one transaction: about 50 ms of LMDB's own thread. */
export const trimRecordsMax = 10_000;
/** Idempotency keys that one step forgets by age. */
export const trimSourcesMax = 10_000;
/** Every execution is looked at for its age once in this time; a million are 30 ms. */
export const executionSweepPeriodMs = 60_000;
/** Executions that one step forgets, beyond those that make room. */
export const trimExecutionsMax = 10_000;
/** A clock this far ahead of what the journal has lived through is an alarm; age retention then follows at twice real time. */
export const clockStepMsMax = 86_400_000;
/** How often the bus looks for what retention may take. */
export const sweepPeriodMs = 10_000;

/** Executions in one message of a snapshot: at 1 KiB with tags and reason it stays well below `grpcMessageBytesMax`. */
export const executionsPerMessageMax = 500;
/** Values of `execution_ids` in one call to the bus: what the tags of one stream may stand for. */
export const busExecutionIdsMax = 10_000;

/** The check before serving reads so many records from either end of the journal, and so many bytes: a second or two. */
export const checkRecordsMax = 100_000;
export const checkBytesMax = 268_435_456;
/** The check of a slow disk is given up as failed after this. */
export const checkMsMax = 60_000;
/** One part of a repair is given up after this; 10 GiB are copied in a few minutes. */
export const repairMsMax = 3_600_000;
/** Runs of the reader that `--repair` starts again behind a place that ended it. */
export const repairRunsMax = 48;

/** Request line and headers. 1,000 UUIDs need 50 KiB; above it uWebSockets.js answers a bare 431. */
export const requestHeadBytesMax = 65_536;
/** Characters of a cursor that `gap` gives back: enough to recognise it, too few to be abused. */
export const gapRequestedCharactersMax = 128;
/** RFC 9562 ids and trace ids are shorter; visible ASCII only. */
export const correlationIdCharactersMax = 128;

/**
 * Bytes handed to one socket in one write.
 *
 * 48 KiB = three cork buffers of 16 KiB; 10,000 parked sockets x 48 KiB = 480 MiB is the most that userland can hold for them.
 * What does not fit stays in the window or the journal: the session parks on its cursor and nothing is lost.
 */
export const sessionWriteBytesMax: number = 49_152;

/** Bytes of window that a shard copies to its private scratch at a time. Several of the largest record; small enough for L2. */
export const scratchBytes = 262_144;

/** Bytes of one window record beyond its texts: header, ids, padding. */
export const windowRecordOverheadBytesMax = 128;

/** One record in the window at most: frame, match key and header. */
export const windowRecordBytesMax = eventJsonBytesMax + stageBytesMax + pathBytesMax + 512;

/** The smallest window: sixteen scratches, so that a drain is never overtaken by its own copy. */
export const windowBytesMin = 4_194_304;
/** A SharedArrayBuffer beyond 4 GiB is not portable. */
export const windowBytesMax = 4_294_967_296;

/** Shards: their interest is a 31-bit mask in a small integer. */
export const shardsMax = 31;

/** Bytes of one block of history that crosses to a shard. */
export const historyBlockBytes = 262_144;
/** Blocks of history being fetched at a time, over all sessions: catch-up may not starve live traffic. */
export const historyReadsMax = 8;

/** No progress on a socket that owes us a drain for this long: it is closed, and resumes. */
export const stalledCloseMs = 60_000;
/** uWebSockets.js aborts about 10 s after a failed write unless the response is paused and resumed meanwhile. */
export const parkedNudgeMs = 4_000;
/** Silence after which a heartbeat comment is written: below the 60 s of the common proxies with three to spare. */
export const heartbeatMs = 15_000;

/** A request is held this long for the window's first fill before it gets 503. */
export const firstFillWaitMs = 10_000;
/** The bus has this long to confirm that a value is unknown. */
export const verifyWaitMs = 2_000;
/** An accepted write waits this long to become visible here before it is answered all the same. */
export const visibleWaitMs = 2_000;
/** A publish has this long to become durable before it is answered 503. */
export const publishDeadlineMs = 10_000;
/** The gRPC stream is held back at most this long for a shard that is half a window behind. */
export const holdBackMsMax = 5_000;
/** SIGTERM to exit. */
export const shutdownMs = 10_000;

/** Joins, calls and history requests that one shard may have with the main thread. Above it a request gets 503 with Retry-After. */
export const shardRequestsMax = 32_768;
/** Publishes and changes in flight from HTTP, over all shards. */
export const writesInFlightMax = 1_024;
/** Bytes of those. */
export const writeBytesInFlightMax = 67_108_864;

assert(eventJsonBytesMax < batchBytesMax, 'the largest event must fit a batch');
assert(windowRecordBytesMax * 3 <= scratchBytes, 'a scratch must hold several of the largest records');
assert(scratchBytes * 16 <= windowBytesMin, 'a window must be many scratches');
assert(sessionWriteBytesMax <= historyBlockBytes, 'a block must fill a write');
assert(parkedNudgeMs * 2 < 10_000, 'two nudges must fall inside the abort time of uWebSockets.js');
assert(requestValuesMax * 50 <= requestHeadBytesMax, 'a request line must fit its values');
assert(batchBytesMax * 2 <= grpcMessageBytesMax, 'a full batch with its framing must be one message');
assert(batchBytesMax <= commitBytesMax && batchEventsMax <= commitRecordsMax, 'a group must hold any batch');
