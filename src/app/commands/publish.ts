import { systemClock } from '../../core/clock.ts';
import { BusError, type Fault, StartError } from '../../core/failure.ts';
import { progressMs } from '../../core/limits.ts';
import type { EventPublisher, PublishEntry } from '../../storage/publisher.ts';
import type { Invocation } from '../command-line.ts';
import { commandLine } from '../project.ts';
import { faultText, readEntry, readLine } from '../publishing/entry.ts';
import { lineBatches, type NumberedLine } from '../publishing/lines.ts';
import { openPublisher, type Target, targetOf, targetText } from '../publishing/target.ts';

/** Flags of one entry: the field they fill. */
const textFlags = [
  ['executionId', 'execution_id'],
  ['stage', 'stage'],
  ['path', 'path'],
  ['contentType', 'content_type'],
  ['checksum', 'checksum'],
  ['uri', 'uri'],
  ['time', 'time'],
  ['sourceId', 'source_id'],
  ['status', 'status'],
  ['reason', 'reason'],
] as const;

const flagOf = (field: string | number | undefined): string =>
  `--${field === 'tags' ? 'tag' : String(field).replaceAll('_', '-')}`;

function metadataOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new StartError(`--metadata: '${pair}' is not allowed; allowed: key=value`, 2);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** The flags as the fields of a line of JSON; what is wrong with them is for the reader of lines to say. */
function fieldsOfFlags(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [flag, field] of textFlags) if (flags[flag] !== undefined) fields[field] = flags[flag];
  const { size, metadata, tag } = flags;
  if (typeof size === 'string') fields['size'] = /^\d{1,16}$/.test(size) ? Number(size) : Number.NaN;
  if (metadata !== undefined) fields['metadata'] = metadataOf(metadata as readonly string[]);
  if (tag !== undefined) fields['tags'] = tag;
  return fields;
}

function refuseFlag(fault: Fault | undefined, flags: Readonly<Record<string, unknown>>, fields: object): never {
  const name = fault?.field[0];
  const given: unknown = name === 'size' ? flags['size'] : (fields as Record<string, unknown>)[String(name)];
  const shown = typeof given === 'string' ? `'${given}' is not allowed; it ` : '';
  const reason = fault?.reason ?? 'is not allowed';
  throw new StartError(`${flagOf(name)}: ${shown}${reason}; see ${commandLine('publish --help')}`, 2);
}

/** The entry that the flags describe. Fails with a StartError naming the flag, its value and what is allowed. */
function entryOfFlags(flags: Readonly<Record<string, unknown>>): PublishEntry {
  const fields = fieldsOfFlags(flags);
  const isEvent = ['stage', 'path'].some((name) => name in fields);
  const isChange = ['status', 'tags', 'reason'].some((name) => name in fields);
  if (isEvent && isChange) {
    throw new StartError('an event (--stage, --path) and a change (--status, --tag, --reason) are published apart', 2);
  }
  const reading = readEntry(fields);
  return reading.kind === 'entry' ? reading.entry : refuseFlag(reading.faults[0], flags, fields);
}

/** A BusError in words of the caller: which entry, and what is wrong with it, without the wire's own steps. */
interface Complaint {
  readonly entry: number | null;
  readonly text: string;
}

/** `entries[3].change.status: …` of a message, and `['entries', 3, 'event', 'stage']` of a fault. */
function complaintOf(error: BusError): Complaint {
  const [fault] = error.faults;
  if (fault !== undefined) {
    const [, entry, ...rest] = fault.field;
    const field = rest.filter((step, index) => index > 0 || (step !== 'event' && step !== 'change'));
    return { entry: typeof entry === 'number' ? entry : null, text: faultText([{ field, reason: fault.reason }]) };
  }
  const [whole = '', entry] = /^entries\[(\d+)\]\.?(?:(?:event|change)\b\.?)?(?:: )?/.exec(error.message) ?? [];
  return { entry: entry === undefined ? null : Number(entry), text: error.message.slice(whole.length) };
}

/** One call to the publisher: its lines, and how many of them, from the first, became durable before it failed. */
interface Sent {
  readonly lines: readonly NumberedLine[];
  readonly durable: number;
}

/** What went wrong, for people; the exit code follows from whose words they were. */
function failure(error: BusError, target: Target, sent: Sent): StartError {
  const { entry, text: complaint } = complaintOf(error);
  const first = entry ?? sent.durable;
  const where = whereFrom(sent.lines.slice(first, entry === null ? sent.lines.length : first + 1));
  const text = complaint + durableOf(error, sent);
  const theirs = error.faults.length > 0 || ['invalid', 'conflict', 'terminal'].includes(error.code);
  if (theirs) return new StartError(where + text, 2, { cause: error });
  if (error.code === 'unavailable') {
    const start = commandLine(target.kind === 'http' ? 'up' : 'bus');
    const hint = `nothing usable answers at ${targetText(target)}; start it with: ${start} (${text})`;
    return new StartError(where + hint, 1, { cause: error });
  }
  return new StartError(where + text, 1, { cause: error });
}

/** Nothing of a batch that goes as one. Where no answer came, more may have become durable than is known. */
function durableOf({ code }: BusError, { lines, durable }: Sent): string {
  if (durable === 0) return '';
  const atLeast = ['unavailable', 'deadline', 'internal'].includes(code) ? 'at least ' : '';
  return `; ${atLeast}${durable} of the ${lines.length} lines sent with it became durable`;
}

function whereFrom(lines: readonly NumberedLine[]): string {
  const [first, last] = [lines[0]?.number, lines.at(-1)?.number];
  if (first === undefined || last === undefined) return '';
  return first === last ? `line ${first}: ` : `lines ${first} to ${last}: `;
}

const printIds = (ids: readonly string[]): void => {
  if (ids.length > 0) process.stdout.write(`${ids.join('\n')}\n`);
};

/** Prints the ids of each part as it becomes durable, so that none is lost to a failure of the next one, or to Ctrl-C. */
class DurableIds {
  count = 0;

  readonly take = (ids: readonly string[]): void => {
    printIds(ids);
    this.count += ids.length;
  };
}

/** Counts what was published and says so on standard error, at most once a `progressMs`. */
class Progress {
  readonly #startMs = systemClock.monotonicMs();
  #saidMs = this.#startMs;
  #published = 0;

  add(count: number): void {
    this.#published += count;
  }

  say(): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#saidMs < progressMs) return;
    this.#saidMs = nowMs;
    process.stderr.write(`published ${this.#published} …\n`);
  }

  summary(): string {
    const seconds = (systemClock.monotonicMs() - this.#startMs) / 1000;
    return `published ${this.#published} in ${seconds.toFixed(1)} s`;
  }
}

interface Reading {
  readonly entries: readonly PublishEntry[];
  readonly lines: readonly NumberedLine[];
  readonly bad: string | null;
}

/** The entries up to the first bad line. */
function readLines(lines: readonly NumberedLine[]): Reading {
  const entries: PublishEntry[] = [];
  for (const [index, line] of lines.entries()) {
    const reading = readLine(line.text);
    if (reading.kind === 'faults') {
      return { entries, lines: lines.slice(0, index), bad: `line ${line.number}: ${faultText(reading.faults)}` };
    }
    entries.push(reading.entry);
  }
  return { entries, lines, bad: null };
}

async function publishLines(publisher: EventPublisher, target: Target): Promise<void> {
  const progress = new Progress();
  const stop = (message: string): never => {
    throw new StartError(`${message}; before it: ${progress.summary()}`, 2);
  };
  for await (const batch of lineBatches(process.stdin)) {
    if (batch.kind === 'bad') return stop(`line ${batch.number}: ${batch.reason}`);
    const { entries, lines, bad } = readLines(batch.lines);
    if (entries.length > 0) {
      const durable = new DurableIds();
      await publisher.publish(entries, durable.take).catch((error: unknown) => {
        if (!(error instanceof BusError)) throw error;
        progress.add(durable.count);
        const said = failure(error, target, { lines, durable: durable.count });
        throw new StartError(`${said.message}; before it: ${progress.summary()}`, said.exitCode, { cause: error });
      });
      progress.add(durable.count);
      progress.say();
    }
    if (bad !== null) stop(bad);
  }
  process.stderr.write(`${progress.summary()}\n`);
}

/** `rivulet publish`: the ids of what became durable on standard output, the rest on standard error. */
export async function publish(invocation: Invocation, input: string | undefined): Promise<number> {
  if (input !== undefined && input !== '-') {
    throw new StartError(`input: '${input}' is not allowed; allowed: - for JSON lines from standard input`, 2);
  }
  const entry = input === '-' ? null : entryOfFlags(invocation.flags);
  const target = targetOf(invocation, 'bus');
  const publisher = await openPublisher(target);
  // `publish - | head` closes our standard output: the rest is published all the same.
  process.stdout.on('error', () => undefined);
  try {
    if (entry === null) await publishLines(publisher, target);
    else printIds(await publisher.publish([entry]));
  } catch (error) {
    if (error instanceof BusError) throw failure(error, target, { lines: [], durable: 0 });
    throw error;
  } finally {
    await publisher.close();
  }
  return 0;
}
