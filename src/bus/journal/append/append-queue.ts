import type { AppendReceipt, JournalInput } from '../../../contract/journal.ts';
import { AppendError } from '../../../core/failure.ts';
import * as limits from '../../../core/limits.ts';

export interface PendingAppend {
  readonly entries: JournalInput;
  readonly bytes: number;
  readonly resolve: (receipt: AppendReceipt) => void;
  readonly reject: (error: unknown) => void;
}

/** Appends that wait for the commit before them, first come first served, within bounds. */
export class AppendQueue {
  #waiting: PendingAppend[] = [];
  #bytes = 0;

  get length(): number {
    return this.#waiting.length;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  /** Rejects at once, with `overloaded`, when the queue is full. */
  offer(entries: JournalInput, bytes: number): Promise<AppendReceipt> {
    if (this.#waiting.length >= limits.appendsPendingMax || this.#bytes + bytes > limits.appendBytesPendingMax) {
      return Promise.reject(new AppendError('overloaded', 'too many appends are waiting for the journal'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, bytes, resolve, reject });
      this.#bytes += bytes;
    });
  }

  /** The next group: as many as one commit takes, at least one if any waits. */
  take(): PendingAppend[] {
    let bytes = 0;
    let records = 0;
    let count = 0;
    for (const append of this.#waiting) {
      bytes += append.bytes;
      records += append.entries.length;
      if (count > 0 && (bytes > limits.commitBytesMax || records > limits.commitRecordsMax)) break;
      count += 1;
    }
    const group = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const append of group) this.#bytes -= append.bytes;
    return group;
  }
}
