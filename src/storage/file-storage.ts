import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Clock, sleep } from '../core/clock.ts';
import { pathFault, type StorageEventInput, stageFault } from '../core/event.ts';
import { parseUuid } from '../core/event-id.ts';
import { BusError, type BusFailure, type Fault, InvalidInputError } from '../core/failure.ts';
import { clientDeadlineMs, publishRetryMs } from '../core/limits.ts';
import type { EventPublisher } from './publisher.ts';

/** One object to store. `executionId`, `stage` and `path` are also its place below the root. */
export interface StoredObject {
  readonly executionId: string;
  readonly stage: string;
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly contentType: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export type StorageFailure = 'outside-root' | 'write-failed';

/** An object was not stored: no event was published, and its place holds what it held before. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageFailure;
  constructor(code: StorageFailure, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

export interface FileStorageOptions {
  /** Folder that everything is written below; made when absent. */
  readonly root: string;
  readonly publisher: EventPublisher;
  readonly clock: Clock;
}

function faultsOf(object: StoredObject): Fault[] {
  const faults: Fault[] = [];
  const add = (name: string, reason: string | null): void => {
    if (reason !== null) faults.push({ field: [name], reason });
  };
  add('execution_id', parseUuid(object.executionId) === null ? 'must be a UUID' : null);
  add('stage', stageFault(object.stage));
  add('path', pathFault(object.path));
  return faults;
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Failures that pass by themselves. */
const passing: ReadonlySet<BusFailure> = new Set(['unavailable', 'deadline', 'throttled']);

/**
 * The pipeline's storage on a file system: writes an object, then says so on the bus.
 *
 * A reader never sees half an object (temporary file beside it, fsync, rename, fsync of the folder), and an event never names an object that is
 * not there. A crash between the two leaves the object without its event; writing it again repairs that.
 */
export class FileStorage {
  readonly #root: string;
  readonly #publisher: EventPublisher;
  readonly #clock: Clock;

  constructor(options: FileStorageOptions) {
    this.#root = resolve(options.root);
    this.#publisher = options.publisher;
    this.#clock = options.clock;
  }

  /**
   * Stores and publishes one object; answers the id of its event.
   *
   * Fails with InvalidInputError (names), StorageError (file system) or BusError (stored, but not published).
   */
  async put(object: StoredObject): Promise<string> {
    const faults = faultsOf(object);
    if (faults.length > 0) throw new InvalidInputError(faults);
    const executionId = object.executionId.toLowerCase();
    const bytes = typeof object.content === 'string' ? Buffer.from(object.content) : object.content;
    const target = join(this.#root, executionId, ...object.stage.split('/'), ...object.path.split('/'));
    await this.#write(target, bytes);
    return this.#publish({
      execution_id: executionId,
      stage: object.stage,
      path: object.path,
      size: bytes.length,
      content_type: object.contentType,
      checksum: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      uri: pathToFileURL(target).href,
      // One name for this write, so that a retry after a lost answer is not a second event.
      source_id: randomUUID(),
      ...(object.metadata === undefined ? {} : { metadata: object.metadata }),
    });
  }

  async #write(target: string, bytes: Uint8Array): Promise<void> {
    const folder = dirname(target);
    const temporary = join(folder, `.${randomBytes(8).toString('hex')}.part`);
    try {
      await mkdir(folder, { recursive: true });
      await this.#refuseOutside(folder);
      await writeWhole(await open(temporary, 'wx'), bytes);
      await rename(temporary, target);
      await syncDirectory(folder);
    } catch (cause) {
      await rm(temporary, { force: true });
      if (cause instanceof StorageError) throw cause;
      const detail = cause instanceof Error ? cause.message : String(cause);
      throw new StorageError('write-failed', `${target} could not be written: ${detail}`, { cause });
    }
  }

  // The names cannot climb out (no `..` segment), but a link that somebody put below the root could.
  async #refuseOutside(folder: string): Promise<void> {
    const real = await realpath(folder);
    const root = await realpath(this.#root);
    if (real !== root && !real.startsWith(root + sep)) {
      throw new StorageError('outside-root', `${folder} leads outside ${this.#root}`);
    }
  }

  async #publish(event: StorageEventInput): Promise<string> {
    for (const waitMs of [...publishRetryMs, null]) {
      try {
        const [id] = await this.#publisher.publish([{ kind: 'event', event }]);
        if (id !== undefined) return id;
        throw new BusError('internal', 'the bus acknowledged an event without an id');
      } catch (error) {
        if (!(error instanceof BusError && passing.has(error.code)) || waitMs === null) throw error;
        await sleep(this.#clock, Math.max(waitMs, Math.min(error.retryAfterMs ?? 0, clientDeadlineMs)));
      }
    }
    throw new BusError('unavailable', 'the bus stayed away');
  }
}
