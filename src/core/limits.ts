import { assert } from './assert.ts';

/**
 * Every bound of the program that is not an option (what an option may be set to: app/configuration/option-bounds.ts): its unit stands in its name, its reason above it, and what happens at it in
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
/**
 * Streams of one kind (Subscribe, Read, Executions, PublishStream) that the bus serves at a time. One that does not read holds about three
 * batches: 256 x 3 MiB = 768 MiB at the very worst. A router has one Subscribe, one Executions and at most `historyReadsMax` Reads.
 */
export const busStreamsMax = 256;
/** A refused stream may be opened again after this. */
export const busStreamRetryMs = 1_000;
/** A connection to the bus is asked for a sign of life so often, and closed without one: its descriptor is not kept for a client that has gone. */
export const busPingMs = 10_000;
export const busPingTimeoutMs = 5_000;
/** The bus lets unary calls finish for this long when it stops. */
export const busStopMs = 2_000;
/** A Describe of the bus answers from memory and a few reads. */
export const describeDeadlineMs = 5_000;
/** Who asks for a description while one is under way waits at most so long for it before one more is sent: eight within `verifyWaitMs`, however many ask. */
export const describeShareMs = 250;

/** Appends that wait for the commit before them, over all publishers; above it UNAVAILABLE. Their encoded bytes likewise. */
export const appendsPendingMax = 8_192;
export const appendBytesPendingMax = 134_217_728;
/** One group commit: 4 MiB is about 10 ms of encoding, which is how long the bus's loop may be held. */
export const commitBytesMax: number = 4_194_304;
export const commitRecordsMax: number = 8_192;

/**
 * Addresses that the journal's file is mapped to at once; they cost nothing until pages are read. Beyond it LMDB maps anew, which it does
 * not survive on a disk that has just become read-only (a crash, seen at its own first 128 KiB). 64 GiB fit any 64-bit address space.
 */
export const journalMapBytes: number = 68_719_476_736;
/**
 * Room that appends leave on the disk. Retention must be able to write when nothing else is: LMDB copies the pages that it changes. And
 * LMDB itself should not meet the end of the disk: its words for that overrun a buffer of 100 bytes.
 */
export const diskReserveBytes = 16_777_216;
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
/** What a library prints in the bus's thread is said once in this time: often enough to be seen, too rare to fill a disk that is full. */
export const threadComplaintMs = 10_000;
/** How often the bus looks for what retention may take. */
export const sweepPeriodMs = 10_000;

/** Executions in one message of a snapshot: at 1 KiB with tags and reason it stays well below `grpcMessageBytesMax`. */
export const executionsPerMessageMax = 500;
/** What one step of a read takes from the journal: a millisecond or two, in which the bus does nothing else. */
export const readStepBytesMax = 131_072;
/** Values of `execution_ids` in one call to the bus: what the tags of one stream may stand for. */
export const busExecutionIdsMax = 10_000;

/** The check before serving reads so many records from either end of the journal, and so many bytes: a second or two. */
export const checkRecordsMax = 100_000;
export const checkBytesMax = 268_435_456;
/** The check of a slow disk is given up as failed after this. */
export const checkMsMax = 60_000;
/** One part of a repair is given up after this; 10 GiB are copied in a few minutes. */
export const repairMsMax = 3_600_000;
/** Damaged places of a journal that are remembered, so that each is said once; beyond them a repair is long overdue. */
export const damagesRememberedMax = 1_000;
/** Runs of the reader that `--repair` starts again behind a place that ended it. */
export const repairRunsMax = 48;

/** Request line and headers. 1,000 UUIDs need 50 KiB; above it uWebSockets.js answers a bare 431. */
export const requestHeadBytesMax = 65_536;
/** Characters of a cursor that `gap` gives back: enough to recognise it, too few to be abused. */
export const gapRequestedCharactersMax = 128;
/** RFC 9562 ids and trace ids are shorter; visible ASCII only. */
export const correlationIdCharactersMax = 128;

/**
 * Bytes handed to one socket in one write, and so what stays behind in the process for a client that never reads: up to twice over, because the heartbeat
 * behind it doubles uWebSockets.js's string. 10,000 parked sockets x 40 KiB = 400 MiB is the most that userland can hold for them.
 * More than one chunk of 16 KiB, so that the second says whether the first has left. At 48 KiB a replay is a quarter faster, and 1,000 clients that never read cost 40 MiB more.
 * What does not fit stays in the window or the journal: the session parks on its cursor and nothing is lost.
 */
export const sessionWriteBytesMax: number = 20_480;

/**
 * Bytes that one drain hands to live members before it puts the rest behind, to read on by turns: about 8 ms of writes, which is what a stream of another
 * execution may have to wait. 1,000 members get 25 typical events each within it.
 */
export const drainBytesMax: number = 8_388_608;
/** Bytes a member up to which a group gets its frames in the drain in any case, and first: a dozen typical events. */
export const drainLightBytesMax: number = 4_096;

/** Bytes of window that a shard copies to its private scratch at a time. Several of the largest record; small enough for L2. */
export const scratchBytes = 262_144;

/** One record in the window at most: frame, match key and header. */
export const windowRecordBytesMax = eventJsonBytesMax + stageBytesMax + pathBytesMax + 512;

/** The smallest window: sixteen scratches, so that a drain is never overtaken by its own copy. */
export const windowBytesMin = 4_194_304;
/** A checkpoint of the window's index at least so far from the one before: a search walks about 40 typical records, 4,096 of them index 64 MiB. */
export const windowCheckpointBytes = 16_384;
/** A SharedArrayBuffer beyond 4 GiB is not portable. */
export const windowBytesMax = 4_294_967_296;

/** Shards: their interest is a 31-bit mask in a small integer. */
export const shardsMax = 31;
/** V8's young generation in a shard's thread: 3 x 4 MiB. A storm of joins fills whatever it may have, for good; 48 MiB, the default, is 1.6 KB more for each of 10,000 idle streams. */
export const shardYoungMiB = 12;

/** Bytes of one block of history that crosses to a shard. */
export const historyBlockBytes = 262_144;
/** Asked for a socket that has not reported room: it takes one write, and what it leaves of a block is read again. Frames are larger than records. */
export const historyProbeBytes: number = sessionWriteBytesMax * 2;
/** Buffers of spent blocks that are kept to be used again: as many as are read at a time. */
export const historyBuffersKeptMax = 8;
/** Blocks of history being fetched at a time, over all sessions, and on their way to or at one shard: catch-up may not starve live traffic, nor fill memory. */
export const historyReadsMax = 8;

/** A read of history that the bus could not answer is asked again after this long: four times a second and reader at most. */
export const historyRetryMs = 250;

/** One that stands before a damaged place of the journal: a repair takes an operator, not a second. */
export const damagedRetryMs = 5_000;

/** Waits before the router connects to the bus again: a restart takes a second or two, and nobody wants to wait longer than the cap after it. */
export const upstreamBackoffMs = { base: 100, cap: 5_000 } as const;
/** How often the journal is described anew: the lag and the oldest position in metrics and `/readyz` are at most this old. */
export const describeEveryMs = 5_000;

/** No progress on a socket that owes us a drain for this long: it is closed, and resumes. */
export const stalledCloseMs = 60_000;
/** uWebSockets.js aborts 8 to 12 s after a failed write unless it is paused and resumed; an answer that is not certain is followed by a certain one in this time. */
export const parkedNudgeMs = 4_000;
/**
 * Bytes that a stream may have had since the last certain answer before a silence of `parkedNudgeMs` is asked about: one cork of uWebSockets.js, and
 * Linux's smallest send buffer. Below it the heartbeat of 15 s is soon enough.
 */
export const unsureBytesMax = 16_384;
/** Steps of catch-up between two looks at the sockets and the mailbox: 32 x 20 KiB is about half a millisecond of writes; and their time, where each is dearer. */
export const catchUpStepsPerTurn = 32;
export const catchUpTurnMsMax = 2;

/** Silence after which a heartbeat comment is written: below the 60 s of the common proxies with three to spare. */
export const heartbeatMs = 15_000;

/** A request is held this long for the window's first fill before it gets 503. */
export const firstFillWaitMs = 10_000;
/** The bus has this long to confirm that a value is unknown. */
export const verifyWaitMs = 2_000;
/** An accepted write waits this long to become visible here before it is answered all the same. */
export const visibleWaitMs = 2_000;
/** A publish has this long to become durable before it is answered 503. */
export const publishDeadlineMs: number = 10_000;
/** The gRPC stream is held back at most this long for a shard that is half a window behind. */
export const holdBackMsMax = 5_000;
/** One press of Ctrl-C under npm arrives twice, from the terminal and from npm: within this time it counts once. */
export const signalRepeatMs = 500;
/** Waits of `--supervise` before it starts again: the first is short, as most breaks are single; the cap is what a port or a disk may need. */
export const supervisedBackoffMs = { base: 200, cap: 10_000 } as const;
/** A child that has served for this long has got over it: restarts are counted anew. */
export const supervisedSteadyMs: number = 60_000;
/** Restarts in a row after which the supervisor gives up, about half a minute: what restarts have not helped by then, somebody has to look at. */
export const supervisedRestartsMax = 10;

/** A router that stops waits so long for the answers to the writes that it has sent to the bus: they are durable, and their publishers ought to know. */
export const writesDrainMs = 2_000;
/** SIGTERM to exit. */
export const shutdownMs = 10_000;

/** The dispatcher looks at least this often whether a shard is behind: no shorter than a scheduler's tick. */
export const flowCheckMs = 100;
/** How often a shard is asked for a sign of life. A task costs it about 75 µs. */
export const shardPingMs = 250;
/** A shard silent for this long is reported on `/healthz`, and gets no new connections: ten times the longest pause seen under load. */
export const shardUnresponsiveMs: number = 3_000;
/** A shard silent for this long is given up, and the process goes down. With what passes before the silence is seen, within 5 s. */
export const shardGivenUpMs = 4_500;

/** Joins, calls and history requests that one shard may have with the main thread. Above it a request gets 503 with Retry-After. */
export const shardRequestsMax = 32_768;
/** Publishes and changes in flight from HTTP, over all shards. */
export const writesInFlightMax = 1_024;
/** Bytes of those. */
export const writeBytesInFlightMax = 67_108_864;

/** One document of the demo. Its text is held in memory whole. */
export const demoDocumentBytesMax = 4_194_304;
/** Documents of one demo run: each is three writes, and all of them are paced. */
export const demoDocumentsMax = 300;
/** An hour: as long as one stream may last. */
export const demoPaceMsMax = 3_600_000;
/** One line of `rivulet publish -`: the largest event with every character escaped. */
export const publishLineBytesMax = 393_216;
/** Waits before a storage adapter publishes again, with the same source_id: together they outlast a restart of the bus. */
export const publishRetryMs = [200, 1_000, 3_000] as const;
/** A person watching wants a sign of life; a log does not want a line for each batch. */
export const progressMs = 1_000;
/** A client of the command line waits this long for an answer: the publish deadline of the server and a margin. */
export const clientDeadlineMs = 15_000;
/** Seconds that a stream may ask for: the original's bounds. An hour outlives any proxy's idea of one response. */
export const timeoutSecondsMin = 1;
export const timeoutSecondsMax = 3_600;
export const timeoutSecondsDefault = 300;

/** Executions in one page of the list: at 16 KiB an entry, 16 MiB at the very most, 300 KiB as a rule. */
export const executionsPageMax = 1_000;
export const executionsPageDefault = 100;
/** Texts of execution ids that the intake keeps at hand, 2 to the power of this: 4,096 x (36 bytes and a string of 56) = 370 KiB. */
export const uuidTextsBits = 12;
/** Characters of a page cursor; ours are shorter. */
export const pageCursorCharactersMax = 256;
/** Faults listed in one 422: a batch may have one an event. What is beyond is not listed. */
export const faultsListedMax = 1_000;
/** What a 422 says back of one bad value: enough to recognise it. 1,000 faults stay below 4 MiB as a rule. */
export const faultInputCharactersMax = 1_024;
export const faultInputItemsMax = 32;
export const faultInputDepthMax = 4;

/** Bytes of request bodies that one shard collects at a time; above it a write gets 503. Sixty-four of the largest. */
export const bodyBytesInFlightMax: number = 67_108_864;

/** Retry-After, seconds: a queue drains in one, connections end and processes restart in a few. */
export const retryAfterOverloadSeconds = 1;
export const retryAfterCapacitySeconds = 5;

assert(eventJsonBytesMax < batchBytesMax, 'the largest event must fit a batch');
assert(windowRecordBytesMax * 3 <= scratchBytes, 'a scratch must hold several of the largest records');
assert(scratchBytes * 16 <= windowBytesMin, 'a window must be many scratches');
assert(sessionWriteBytesMax <= historyBlockBytes, 'a block must fill a write');
assert(drainLightBytesMax * 1_000 <= drainBytesMax, 'a thousand light members must fit a drain');
assert(parkedNudgeMs * 2 < 10_000, 'two nudges must fall inside the abort time of uWebSockets.js');
assert(requestValuesMax * 50 <= requestHeadBytesMax, 'a request line must fit its values');
assert(shardUnresponsiveMs < shardGivenUpMs, 'a shard must be reported before it is given up');
assert(shardGivenUpMs + 2 * shardPingMs <= 5_000, 'a shard that has stopped must be noticed within 5 s');
assert(shardGivenUpMs * 2 < shutdownMs, 'a stop that finds a stuck shard must have time left for the others');
assert(supervisedSteadyMs > supervisedBackoffMs.cap, 'a child must outlast the longest wait before it counts as well');
assert(describeShareMs * 4 <= verifyWaitMs, 'a description that had to wait must have most of its time left');
assert(clientDeadlineMs > publishDeadlineMs, 'the server must answer before the client gives up');
assert(batchBytesMax <= bodyBytesInFlightMax, 'a shard must be able to take the largest body');
assert(batchBytesMax * 2 <= grpcMessageBytesMax, 'a full batch with its framing must be one message');
assert(batchBytesMax <= commitBytesMax && batchEventsMax <= commitRecordsMax, 'a group must hold any batch');
