import { isUtf8 } from 'node:buffer';
import { type EventId, type JournalTag, parseEventId } from '../../core/event-id.ts';
import { type ExecutionStatus, executionStatuses } from '../../core/execution.ts';
import { metadataKeysMax } from '../../core/limits.ts';
import { isSequence, type Sequence, sequenceNone } from '../../core/sequence.ts';
import { ProtoCursor } from './proto-cursor.ts';
import { eventField, type RecordChange, RecordSpans } from './record-spans.ts';
import { IdParts, isUuidBytes, uuidBytes } from './uuid-bytes.ts';
import { WireError } from './wire-error.ts';

/**
 * Reads an encoded RecordBatch record by record (proto/rivulet/bus/v1/storage_event_bus.proto) without making an object per record;
 * texts are decoded when asked for.
 *
 *   reader.reset(batch); while (reader.next()) use(reader.sequence, reader.executionId …); then reader.throughSequence
 *
 * As protobuf says: unknown fields are skipped, of a field that comes twice the last counts, an empty text is an absent one. A record has one body.
 * Trusts nothing: an id is lower-case, a UUIDv7 and carries the sequence of its record; an execution id is a lower-case UUID.
 * Fails: WireError; the batch is then spoilt and only `reset` may follow. UTF-8 of an event's texts is checked by the frame encoder.
 */
export class RecordReader {
  readonly spans = new RecordSpans();
  readonly #cursor = new ProtoCursor();
  readonly #id = new IdParts();
  #sequence: Sequence = sequenceNone;
  #change: RecordChange | null = null;
  #executionIdStart = 0;
  #throughSequence: Sequence = sequenceNone;
  #throughId: EventId | null = null;

  /** Starts a batch. The bytes must not change while it is read. */
  reset(batch: Buffer): void {
    this.#cursor.attach(batch);
    this.spans.attach(batch);
    this.#sequence = sequenceNone;
    this.#throughSequence = sequenceNone;
    this.#throughId = null;
  }

  /** Steps to the next record; false when the batch is done. Then, and only then, the through fields are complete. */
  next(): boolean {
    const cursor = this.#cursor;
    while (cursor.field()) {
      switch (cursor.fieldNumber) {
        case 1:
          this.#record();
          return true;
        case 2:
          this.#throughSequence = asSequence(cursor.number());
          break;
        case 3:
          this.#throughId = this.#idText();
          break;
        default:
          cursor.skipField();
      }
    }
    return false;
  }

  get sequence(): Sequence {
    return this.#sequence;
  }
  /** Of the id: milliseconds since the Unix epoch. */
  get timeMs(): number {
    return this.#id.timeMs;
  }
  /** Of the id. */
  get tag(): JournalTag {
    return this.#id.tag;
  }
  get id(): EventId {
    return this.spans.bytes.toString('latin1', this.spans.idStart, this.spans.idStart + uuidBytes) as EventId;
  }
  get isEvent(): boolean {
    return this.#change === null;
  }
  get executionId(): string {
    return this.spans.bytes.toString('latin1', this.#executionIdStart, this.#executionIdStart + uuidBytes);
  }
  /** Where the 36 bytes of the execution id stand in the batch. */
  get executionIdStart(): number {
    return this.#executionIdStart;
  }
  /** '' for a change. */
  get stage(): string {
    return this.#text(eventField.stage);
  }
  /** '' for a change. */
  get path(): string {
    return this.#text(eventField.path);
  }
  /** Bytes of the object; null when the publisher did not say. */
  get size(): number | null {
    return this.spans.size;
  }
  /** Of the event or of the change; RFC 3339. */
  get time(): string {
    return this.#change === null ? this.#text(eventField.time) : this.#change.time;
  }
  /** Null for an event. */
  get change(): RecordChange | null {
    return this.#change;
  }
  /** Every record up to it has been sent or does not match. 0 when the batch did not say. */
  get throughSequence(): Sequence {
    return this.#throughSequence;
  }
  /** The id at that position; null when the batch did not say. */
  get throughId(): EventId | null {
    return this.#throughId;
  }

  #text(field: number): string {
    const { bytes, start, end } = this.spans;
    return bytes.toString('utf8', start[field], end[field]);
  }

  #record(): void {
    const cursor = this.#cursor;
    const outerEnd = cursor.enter();
    let idStart = -1;
    let bodies = 0;
    this.#sequence = sequenceNone;
    this.#change = null;
    this.spans.clear();
    while (cursor.field()) {
      switch (cursor.fieldNumber) {
        case 1:
          this.#sequence = asSequence(cursor.number());
          break;
        case 2:
          idStart = cursor.span();
          if (cursor.position - idStart !== uuidBytes)
            throw new WireError('malformed', 'a record id is not 36 characters');
          break;
        case 3:
          bodies += 1;
          this.#event();
          break;
        case 4:
          bodies += 1;
          this.#changeBody();
          break;
        default:
          cursor.skipField();
      }
    }
    cursor.leave(outerEnd);
    if (bodies !== 1) throw new WireError('malformed', `a record with ${bodies} bodies`);
    if (idStart < 0) throw new WireError('malformed', 'a record without an id');
    this.spans.idStart = idStart;
    const { view } = this.spans;
    if (!this.#id.read(view, idStart)) throw new WireError('malformed', 'a record id is not a lower-case UUIDv7');
    const carried = this.#id.sequence;
    if (carried !== this.#sequence || carried === 0) {
      throw new WireError('id-mismatch', `the id of record ${this.#sequence} carries sequence ${carried}`);
    }
    if (!isUuidBytes(view, this.#executionIdStart)) {
      throw new WireError('malformed', `the execution id of record ${this.#sequence} is not a lower-case UUID`);
    }
  }

  #event(): void {
    const cursor = this.#cursor;
    const spans = this.spans;
    const outerEnd = cursor.enter();
    while (cursor.field()) {
      const field = cursor.fieldNumber;
      if (field === eventField.size) {
        spans.size = cursor.number();
      } else if (field === eventField.metadata) {
        this.#metadataEntry();
      } else if (field < eventField.metadata) {
        spans.start[field] = cursor.span();
        spans.end[field] = cursor.position;
      } else {
        cursor.skipField();
      }
    }
    cursor.leave(outerEnd);
    const start = spans.start[eventField.executionId] as number; // the arrays have 16 places
    const end = spans.end[eventField.executionId] as number;
    if (end - start !== uuidBytes) throw new WireError('malformed', 'an execution id is not 36 characters');
    this.#executionIdStart = start;
  }

  #metadataEntry(): void {
    const cursor = this.#cursor;
    const spans = this.spans;
    if (spans.metadataCount === metadataKeysMax) {
      throw new WireError('record-too-large', `more than ${metadataKeysMax} metadata entries`);
    }
    const at = spans.metadataCount * 4;
    spans.metadata.fill(0, at, at + 4);
    const outerEnd = cursor.enter();
    while (cursor.field()) {
      if (cursor.fieldNumber === 1 || cursor.fieldNumber === 2) {
        const place = at + (cursor.fieldNumber - 1) * 2;
        spans.metadata[place] = cursor.span();
        spans.metadata[place + 1] = cursor.position;
      } else {
        cursor.skipField();
      }
    }
    cursor.leave(outerEnd);
    spans.metadataCount += 1;
  }

  #changeBody(): void {
    const cursor = this.#cursor;
    const outerEnd = cursor.enter();
    const tags: string[] = [];
    let executionIdStart = -1;
    let status: ExecutionStatus | undefined;
    let statusChanged = false;
    let reason = '';
    let time = '';
    while (cursor.field()) {
      switch (cursor.fieldNumber) {
        case 1:
          executionIdStart = cursor.span();
          if (cursor.position - executionIdStart !== uuidBytes) {
            throw new WireError('malformed', 'an execution id is not 36 characters');
          }
          break;
        case 2:
          status = executionStatuses[cursor.number() - 1];
          break;
        case 3:
          tags.push(this.#validText());
          break;
        case 4:
          reason = this.#validText();
          break;
        case 5:
          time = this.#validText();
          break;
        case 7:
          statusChanged = cursor.number() !== 0;
          break;
        default:
          cursor.skipField();
      }
    }
    cursor.leave(outerEnd);
    if (executionIdStart < 0) throw new WireError('malformed', 'a change without an execution id');
    if (status === undefined) throw new WireError('malformed', 'a change without a status');
    this.#executionIdStart = executionIdStart;
    this.#change = { status, statusChanged, tags, reason: reason === '' ? null : reason, time };
  }

  #validText(): string {
    const start = this.#cursor.span();
    const bytes = this.#cursor.bytes.subarray(start, this.#cursor.position);
    if (!isUtf8(bytes)) throw new WireError('invalid-utf8', 'a text of an execution change is not UTF-8');
    return bytes.toString('utf8');
  }

  #idText(): EventId | null {
    const start = this.#cursor.span();
    const text = this.#cursor.bytes.toString('latin1', start, this.#cursor.position);
    if (text === '') return null;
    const id = parseEventId(text);
    if (id === null || id !== text) throw new WireError('malformed', 'the through id is not a lower-case UUIDv7');
    return id;
  }
}

function asSequence(value: number): Sequence {
  if (!isSequence(value)) throw new WireError('malformed', `not a journal sequence: ${value}`);
  return value;
}
