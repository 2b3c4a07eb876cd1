import type { ExecutionStatus } from '../../core/execution.ts';
import { metadataKeysMax } from '../../core/limits.ts';

/** A status change as the registry wants it: `tags` are just those that were new. */
export interface RecordChange {
  readonly status: ExecutionStatus;
  readonly statusChanged: boolean;
  readonly tags: readonly string[];
  readonly reason: string | null;
  readonly time: string;
}

/** Field numbers of StorageEvent. Their order is also the order of the keys in the JSON. */
export const eventField = {
  executionId: 1,
  stage: 2,
  path: 3,
  extension: 4,
  size: 5,
  contentType: 6,
  checksum: 7,
  uri: 8,
  time: 9,
  metadata: 10,
} as const;

/**
 * Where the parts of the current record stand in its batch. For the frame encoder, which copies bytes and decodes no text.
 * `start[f]`..`end[f]` is the text of field f of the StorageEvent, empty when absent. A new record overwrites it.
 */
export class RecordSpans {
  bytes: Buffer = Buffer.alloc(0);
  /** The same bytes: for reading several at a time. */
  view: DataView = new DataView(new ArrayBuffer(0));
  idStart = 0;
  readonly start = new Uint32Array(16);
  readonly end = new Uint32Array(16);
  /** Null: absent. */
  size: number | null = null;
  metadataCount = 0;
  /** Four numbers an entry: key start and end, value start and end. In wire order, duplicates not yet removed. */
  readonly metadata = new Uint32Array(metadataKeysMax * 4);

  attach(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  clear(): void {
    for (let field = 0; field <= eventField.metadata; field += 1) {
      this.start[field] = 0;
      this.end[field] = 0;
    }
    this.size = null;
    this.metadataCount = 0;
  }
}
