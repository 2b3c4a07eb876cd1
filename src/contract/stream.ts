import type { Filter } from '../core/filter.ts';

/** Where a request wants to start. `malformed` keeps the text for the `gap` frame. */
export type CursorRequest =
  | { readonly kind: 'live' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'after'; readonly id: string }
  | { readonly kind: 'malformed'; readonly text: string };

/** One validated `GET /api/v1/storage/events`, as the edge hands it to the shard. */
export interface StreamRequest {
  /** Distinct values of `execution_id`: UUIDs lower-cased, tags and unknown text as they came; request order. */
  readonly values: readonly string[];
  readonly filter: Filter;
  readonly timeoutMs: number;
  readonly keepOpen: boolean;
  readonly controlEvents: boolean;
  readonly cursor: CursorRequest;
  /** Address of the client after trusted proxies; for the per-address limit. */
  readonly address: string;
}

/** An answer other than the stream. The edge adds correlation id, timestamp and the common headers. */
export type StreamRefusal =
  | { readonly kind: 'no-content' }
  | { readonly kind: 'unknown-executions'; readonly values: readonly string[] }
  | { readonly kind: 'too-many-executions'; readonly count: number; readonly max: number }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'connections-exhausted'; readonly scope: 'server' | 'address'; readonly max: number }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'shutting-down' };

/**
 * The response of one request, as a shard sees it. Implemented by the edge over uWebSockets.js; after `onClosed` every call is a no-op.
 *
 * `buffered` means: taken, but not all of it has left the process; `onWritable` follows. Bytes are copied before the call returns. A `write` below 16 KiB that
 * just fills the kernel's buffer answers `flushed` all the same; the next write tells, and a heartbeat is always certain.
 */
export interface StreamSocket {
  /** Sends status 200, the SSE headers and the first bytes in one cork. Call once, before any `write`. */
  open(first: Uint8Array): 'flushed' | 'buffered';
  /** Answers with another status and ends. Call once, instead of `open`. */
  refuse(refusal: StreamRefusal): void;
  /** One corked write. */
  write(bytes: Uint8Array): 'flushed' | 'buffered';
  /** Writes the last bytes and ends the response in order. */
  end(last: Uint8Array): void;
  /** Cuts the connection without a further byte. */
  abort(): void;
  /** Writes a heartbeat. `flushed` is certain: nothing of ours waits in the process. */
  heartbeat(): 'flushed' | 'buffered';
  /**
   * Keeps a response that owes us a drain from being aborted by uWebSockets.js (pause, resume), and asks with a heartbeat whether what was buffered can
   * leave by now: long before `onWritable`, which waits for a third of the kernel's buffer. Call every `parkedNudgeMs` until `onWritable`, which alone ends
   * the clock that it sets back.
   */
  nudge(): 'flushed' | 'buffered';
}

/** What the edge reports of one response. Called on the shard's loop, never inside a call of StreamSocket. */
export interface StreamEvents {
  /** The socket has room; at least one write must follow, if only a heartbeat. */
  onWritable(): void;
  /** The client has gone or the connection broke. Called once, not after `end`, `refuse` or `abort`. */
  onClosed(): void;
}

/** The door of a shard: every accepted stream request goes through it, and is answered exactly once through its socket. */
export interface StreamDoor {
  openStream(request: StreamRequest, socket: StreamSocket): StreamEvents;
}
