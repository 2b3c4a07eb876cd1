import { connect } from 'node:net';
import { Client, credentials, status as grpcCode } from '@grpc/grpc-js';
import { busMethods } from '../../../src/wire/grpc/grpc-proto.ts';
import type { Random } from '../../support/seed.ts';
import type { System } from '../../support/system.ts';
import { demand, type Fuzzer, FuzzFailure, type FuzzTarget, whole } from '../fuzz-target.ts';
import { mutate, randomBytes, wordsOf } from '../mutate.ts';

/**
 * The bus of the running program. A case is the number of a method and the bytes of its message, or, for the last number, bytes for the bare port.
 * Whatever they are, the status is one that a client can have caused, the service goes on, and nothing is appended that was not acknowledged.
 */

const executionId = '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71';
const eventId = '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71';
const { publish, publishStream, subscribe, read, executions, describe } = busMethods;
const methods = [publish, publishStream, subscribe, read, executions, describe] as const;
const barePort = methods.length;

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** SETTINGS, a HEADERS frame of nothing, a PING, RST_STREAM, WINDOW_UPDATE, GOAWAY, a CONTINUATION out of place. */
const frames = [
  '000000040000000000',
  '000000010500000001',
  '0000080600000000000000000000000000',
  '00000403000000000100000008',
  '0000040800000000007fffffff',
  '0000080700000000000000000000000002',
  '000000090400000001',
  'ffffff000000000001',
].map((hex) => Buffer.from(hex, 'hex'));

const event = { execution_id: executionId, stage: 'boost/routines', path: 'reports/summary.md' };

function validMessage(random: Random, method: number): Buffer {
  const sequence = random.pick([0, 1, 5, 2 ** 40, Number.MAX_SAFE_INTEGER]);
  switch (method) {
    case 0:
    case 1:
      return publish.requestSerialize({
        entries: Array.from({ length: random.oneIn(200) ? 990 + random.below(20) : random.below(4) }, () =>
          random.oneIn(3)
            ? { change: { execution_id: executionId, status: random.below(8), tags: ['nightly'], reason: 'r' } }
            : {
                event: {
                  ...event,
                  size: sequence,
                  metadata: { k: 'v', ['__proto__']: 'x' },
                  time: random.pick(['', '2026-11-24T14:27:48Z']),
                },
              },
        ),
      });
    case 2:
      return subscribe.requestSerialize({
        from: random.pick([
          { after: { sequence, id: random.pick(['', eventId, 'x']) } },
          { after_id: random.pick([eventId, '']) },
          { oldest: true },
          { newest: true },
          { last_bytes: sequence },
          {},
          null,
        ]),
      });
    case 3:
      return read.requestSerialize({
        after_sequence: random.oneIn(2) ? 0 : sequence,
        until_sequence: random.oneIn(2) ? 0 : sequence,
        execution_ids: random.oneIn(2) ? [] : [random.pick([executionId, 'x', ''])],
        limit_records: 1 + random.below(5),
        limit_bytes: random.oneIn(2) ? 0 : sequence,
      });
    case 4:
      return executions.requestSerialize({ execution_ids: [random.pick([executionId, 'x'])], follow: random.oneIn(3) });
    case 5:
      return describe.requestSerialize({ cursor: random.pick(['', eventId, 'x', 'earliest']) });
    default:
      return Buffer.concat([
        random.oneIn(4) ? randomBytes(random, 24) : preface,
        ...Array.from({ length: random.below(6) }, () => random.pick(frames)),
      ]);
  }
}

const words = [
  ...wordsOf(executionId, eventId, 'é', '\u0000'),
  ...frames,
  Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  Buffer.alloc(10, 0xff),
  Buffer.from([0x0b]),
  Buffer.from([0xf8, 0xff]),
  Buffer.alloc(200, 0x0b),
];

function makeCase(random: Random): Buffer {
  const method = random.below(barePort + 1);
  const noise = random.oneIn(5);
  const bytes = noise ? randomBytes(random, random.below(80)) : mutate(random, validMessage(random, method), words);
  // One message in a few hundred is larger than the server takes.
  const huge = method < barePort && random.oneIn(400) ? Buffer.alloc(4_200_000, 0x0a) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([method]), bytes, huge]);
}

/** What a caller can be blamed for. CANCELLED: this target hung up, as a stream would go on for ever. */
const allowed = new Set<number>([
  grpcCode.OK,
  grpcCode.CANCELLED,
  grpcCode.INVALID_ARGUMENT,
  grpcCode.ALREADY_EXISTS,
  grpcCode.FAILED_PRECONDITION,
  grpcCode.RESOURCE_EXHAUSTED,
  grpcCode.OUT_OF_RANGE,
  grpcCode.ABORTED,
]);

const asBytes = (bytes: Buffer): Buffer => bytes;
const callMsMax = 20_000;
/** Bytes that ask for nothing get no answer; a bare connection is left after this. */
const bareQuietMs = 25;
/** A Subscribe or a follow that was opened has its first message by then. */
const firstMessageMs = 1_000;

class BusProbe {
  readonly #client: Client;
  readonly #port: number;
  #acknowledged = 0;
  #newest = -1;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
    this.#port = Number(address.slice(address.lastIndexOf(':') + 1));
  }

  async send(method: number, message: Buffer): Promise<string> {
    const definition = methods[method];
    if (definition === undefined) return await this.#bare(message);
    const code =
      method === 0 || method === 5
        ? await this.#unary(method, message)
        : method === 1
          ? await this.#pipelined(message)
          : await this.#streamed(definition.path, message);
    demand(allowed.has(code), `${definition.path} answered ${grpcCode[code] ?? code}`);
    return `${definition.path.slice(definition.path.lastIndexOf('/') + 1)} ${grpcCode[code] ?? code}`;
  }

  #unary(method: number, message: Buffer): Promise<number> {
    const { path } = method === 0 ? publish : describe;
    return new Promise((resolve) => {
      const deadline = { deadline: Date.now() + callMsMax };
      this.#client.makeUnaryRequest(path, asBytes, asBytes, message, deadline, (error, answer) => {
        if (error === null && method === 0 && answer !== undefined) this.#count(answer);
        resolve(error === null ? grpcCode.OK : error.code);
      });
    });
  }

  #count(answer: Buffer): void {
    this.#acknowledged += publish.responseDeserialize(answer).ids.length;
  }

  /** The bad request between two that are good: each has its own answer. */
  #pipelined(message: Buffer): Promise<number> {
    const call = this.#client.makeBidiStreamRequest(publishStream.path, asBytes, asBytes, {
      deadline: Date.now() + callMsMax,
    });
    const good = publish.requestSerialize({ entries: [{ event }] });
    const codes: number[] = [];
    call.on('data', (answer: Buffer) => {
      codes.push(publishStream.responseDeserialize(answer).error?.code ?? grpcCode.OK);
      this.#count(answer);
    });
    for (const request of [good, message]) call.write(request);
    call.end(good);
    return new Promise((resolve, reject) => {
      call.on('error', () => undefined);
      call.on('status', ({ code }) => {
        const [first, second = code, third] = codes;
        if (code === grpcCode.OK && (codes.length !== 3 || first !== grpcCode.OK || third !== grpcCode.OK)) {
          reject(new FuzzFailure(`three requests of a stream were answered ${codes.join(' ')}`));
        } else resolve(code === grpcCode.OK ? second : code);
      });
    });
  }

  #streamed(path: string, message: Buffer): Promise<number> {
    const call = this.#client.makeServerStreamRequest(path, asBytes, asBytes, message, {
      deadline: Date.now() + callMsMax,
    });
    const hangUp = setTimeout(() => {
      call.cancel();
    }, firstMessageMs);
    call.once('data', () => {
      // Let a finite one finish; one that goes on is left.
      setImmediate(() => {
        call.cancel();
      });
    });
    return new Promise((resolve) => {
      call.on('error', () => undefined);
      call.on('status', ({ code }) => {
        clearTimeout(hangUp);
        resolve(code);
      });
    });
  }

  #bare(bytes: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1');
      const quiet = setTimeout(() => {
        socket.destroy();
      }, bareQuietMs);
      let refused = false;
      socket.once('connect', () => socket.write(bytes));
      socket.on('data', () => quiet.refresh());
      socket.on('error', (error: NodeJS.ErrnoException) => {
        refused = error.code === 'ECONNREFUSED';
      });
      socket.once('close', () => {
        clearTimeout(quiet);
        if (refused) reject(new FuzzFailure('the bus does not take connections any more'));
        else resolve('bare port');
      });
    });
  }

  /** The service serves, and the journal has grown by no more than what was acknowledged. */
  async settle(): Promise<void> {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const deadline = { deadline: Date.now() + callMsMax };
      this.#client.makeUnaryRequest(describe.path, asBytes, asBytes, Buffer.alloc(0), deadline, (error, bytes) => {
        if (error !== null || bytes === undefined)
          reject(new FuzzFailure(`Describe failed: ${error?.message ?? 'no answer'}`));
        else resolve(bytes);
      });
    });
    const newest = describe.responseDeserialize(answer).newest_sequence;
    const grown = this.#newest === -1 ? 0 : newest - this.#newest;
    demand(grown <= this.#acknowledged, `${grown} records appended, ${this.#acknowledged} acknowledged`);
    this.#newest = newest;
    this.#acknowledged = 0;
  }

  close(): void {
    this.#client.close();
  }
}

export const grpcTarget: FuzzTarget = {
  name: 'grpc',
  share: 20,
  needsSystem: true,
  async open(system: System | null): Promise<Fuzzer> {
    if (system === null) throw new FuzzFailure('this target needs the running program');
    const probe = new BusProbe(system.grpc);
    await probe.settle();
    return {
      parallel: 16,
      make: (random) => whole(makeCase(random)),
      check: ({ bytes }) => probe.send(bytes[0] ?? barePort, bytes.subarray(1)),
      async settle() {
        demand(system.process.exitCode === null, `the program ended: ${system.stderr().slice(-2_000)}`);
        await probe.settle();
      },
      close() {
        probe.close();
      },
    };
  },
};
