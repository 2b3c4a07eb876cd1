import { connect } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { busMethods } from '../../../src/wire/grpc/grpc-proto.ts';
import type { Random } from '../../support/seed.ts';
import type { System } from '../../support/system.ts';
import { readChange, readPublish } from '../body-reading.ts';
import { demand, type FuzzCase, type Fuzzer, FuzzFailure, type FuzzTarget } from '../fuzz-target.ts';
import { checkAnswer, isBare, type RawAnswer, type RawAnswers, readAnswers } from '../http-answers.ts';
import { mutate, wordsOf } from '../mutate.ts';
import { makeBody } from './body.ts';

/**
 * Raw sockets against the running program: each answer is HTTP/1.1 and one that the contract names, a publish is taken just when an independent
 * reading takes its body, and the journal grows by what was acknowledged.
 */

const executionId = '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71';
const events = '/api/v1/storage/events';
const lines = [
  'Host: localhost',
  'Host: evil.example',
  'Host:',
  'host: localhost ',
  'Origin: http://localhost:3000',
  'Origin: http://\x7f.localhost',
  'X-Request-ID: r\x80',
  'X-Request-ID: ok-1',
  'Last-Event-ID: 00000000-0000-0000-0000-000000000000',
  'Last-Event-ID: \xff',
  'Content-Type: application/json',
  'Content-Type: text/plain',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: -1',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length: 99999999999999999999',
  'Content-Length : 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Expect: 100-continue',
  'Connection: close',
  'Connection: Upgrade',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ' folded: line',
  ': empty',
  'no colon',
  'X-Forwarded-For: 1.2.3.4',
  'Access-Control-Request-Method: PUT',
  'TE: trailers',
  'A'.repeat(300),
];
const targets = [
  '/',
  '/docs/',
  '/healthz',
  '/readyz',
  '*',
  'http://localhost/healthz',
  'localhost:80',
  '//',
  '/%00',
  '/..%2f',
  '/api/v1/executions',
  `/api/v1/executions/${executionId}`,
  '/api/v1/executions/x',
  events,
  `${events}?execution_id=${executionId}&timeout=1`,
  `${events}?execution_id=nobody`,
  `${events}?timeout=x`,
  `${events}/`,
  '/assets/home.js',
  '/assets/../x',
  '/\xe9',
  '/ ',
];
const methods = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'CONNECT', 'TRACE', 'PRI', 'get', '', 'G\0T'];
const words = [
  ...wordsOf(
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\0',
    ' ',
    '\t',
    ':',
    'HTTP/1.0',
    'HTTP/1.1',
    'HTTP/2.0',
    'HTTP/1.1\r\n',
    'GET ',
    '0\r\n\r\n',
    'ffffffffffffffff\r\n',
    '-1\r\n',
    '5;x=y\r\nhello\r\n',
    '1e\r\n',
    '%',
    '\ud83d\ude00',
  ),
  ...lines.map((line) => Buffer.from(`${line}\r\n`, 'latin1')),
  Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1]),
];

const publishHead = (bytes: number): string =>
  `POST ${events} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
const changeHead = (bytes: number): string =>
  `PUT /api/v1/executions/${executionId} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;

function headOf(random: Random): string {
  const chosen = Array.from({ length: random.below(4) }, () => `${random.pick(lines)}\r\n`).join('');
  const host = random.oneIn(8) ? '' : 'Host: localhost\r\n';
  return `${random.pick(methods.slice(0, random.oneIn(3) ? methods.length : 3))} ${random.pick(targets)} HTTP/1.1\r\n${host}${chosen}\r\n`;
}

function chunked(random: Random, body: Buffer): Buffer {
  const pieces: Buffer[] = [
    Buffer.from(
      `POST ${events} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ),
  ];
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, 1 + random.below(100));
    pieces.push(Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), Buffer.from('\r\n'));
    at += size;
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

/** Whole requests with any body; heads of all kinds, mutated; several in a row; now and then more bytes than are taken. */
function requestOf(random: Random): Buffer {
  const body = random.oneIn(1500) ? Buffer.alloc(1_048_000 + random.below(2_000), 0x20) : makeBody(random);
  switch (random.below(8)) {
    case 0:
    case 1:
      return Buffer.concat([Buffer.from(random.oneIn(3) ? changeHead(body.length) : publishHead(body.length)), body]);
    case 2:
      return mutate(random, chunked(random, body.subarray(0, 2_000)), words);
    case 3:
      return mutate(random, Buffer.concat([Buffer.from(publishHead(body.length)), body.subarray(0, 5_000)]), words);
    case 4:
      return random.oneIn(40)
        ? Buffer.from(
            `GET /${'x'.repeat(random.below(70_000))} HTTP/1.1\r\nHost: localhost\r\nA: ${'b'.repeat(random.below(70_000))}\r\n\r\n`,
          )
        : Buffer.from(headOf(random), 'latin1');
    case 5:
      return Buffer.concat(Array.from({ length: 2 + random.below(3) }, () => Buffer.from(headOf(random), 'latin1')));
    default:
      return mutate(random, Buffer.from(headOf(random), 'latin1'), words);
  }
}

/** Cut at one place, at a few, or at none; never more segments than a connection takes in a moment. */
function cutsOf(random: Random, length: number): number[] {
  if (random.oneIn(2)) return [];
  const cuts = Array.from({ length: 1 + random.below(random.oneIn(6) ? 8 : 1) }, () => random.below(length + 1));
  return [...new Set(cuts)].sort((one, other) => one - other);
}

/** No byte for so long: the answer is there, or, when there is none yet, none will come (the request was not finished). */
const answeredQuietMs = 6;
const silentQuietMs = 120;
/** A whole write is owed an answer, however busy the machine is. */
const owedMs = 30_000;

/** Sends the pieces, takes what comes until it is done or silence, leaves. */
function converse(port: number, { bytes, cuts }: FuzzCase): Promise<{ text: string; closed: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let text = '';
    let left = false;
    const owed = plainBody(bytes, publishHead) ?? plainBody(bytes, changeHead);
    const quiet = setTimeout(
      () => {
        left = true;
        socket.destroy();
      },
      owed === null ? silentQuietMs : owedMs,
    );
    const places = [...cuts, bytes.length];
    const sendFrom = (start: number, next: number): void => {
      const end = places[next];
      if (end === undefined || socket.destroyed) return;
      socket.write(bytes.subarray(start, end), () => {
        quiet.refresh();
        setImmediate(sendFrom, end, next + 1);
      });
    };
    let soon: NodeJS.Timeout | null = null;
    socket.once('connect', () => {
      sendFrom(0, 0);
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      soon ??= setTimeout(() => {
        left = true;
        socket.destroy();
      }, answeredQuietMs);
      soon.refresh();
    });
    let fault: NodeJS.ErrnoException | null = null;
    socket.on('error', (error) => {
      fault = error;
    });
    socket.once('close', () => {
      clearTimeout(quiet);
      if (soon !== null) clearTimeout(soon);
      // A reset is how a server leaves that had bytes unread; a refusal would mean that it is gone.
      if (fault?.code === 'ECONNREFUSED') reject(new FuzzFailure('the server does not take connections any more'));
      else resolve({ text, closed: !left });
    });
  });
}

/** What the journal may have grown by. */
class Ledger {
  readonly #bus: Client;
  readonly #ids = new Set<string>();
  #fresh = 0;
  /** Writes whose answer was not seen, or that may change nothing. */
  #possible = 0;
  #newest = -1;

  constructor(address: string) {
    this.#bus = new Client(address, credentials.createInsecure());
  }

  note({ bytes }: FuzzCase, { answers }: RawAnswers): void {
    let taken = 0;
    for (const { status, body } of answers) {
      if (status !== 202) continue;
      const { ids } = JSON.parse(body) as { ids: string[] };
      for (const id of ids) if (!this.#ids.has(id)) this.#fresh += 1;
      for (const id of ids) this.#ids.add(id);
      taken += 1;
    }
    const text = bytes.toString('latin1');
    this.#possible += text.split('PUT ').length - 1;
    // Of several requests in a row the later may have been carried out although the connection closed before their answers.
    if (text.split('POST ').length - 1 > taken) this.#possible += text.split('"path"').length - 1;
  }

  async settle(): Promise<void> {
    const { path, responseDeserialize } = busMethods.describe;
    const asBytes = (bytes: Buffer): Buffer => bytes;
    const answer = await new Promise<Buffer>((resolve, reject) => {
      this.#bus.makeUnaryRequest(path, asBytes, asBytes, Buffer.alloc(0), (error, bytes) => {
        if (error !== null || bytes === undefined) reject(new FuzzFailure('the bus does not answer'));
        else resolve(bytes);
      });
    });
    const newest = responseDeserialize(answer).newest_sequence;
    const grown = this.#newest === -1 ? 0 : newest - this.#newest;
    demand(grown >= this.#fresh, `${this.#fresh} events acknowledged, ${grown} appended`);
    demand(
      grown <= this.#fresh + this.#possible,
      `${grown} records appended, ${this.#fresh} acknowledged and ${this.#possible} possible`,
    );
    this.#newest = newest;
    this.#fresh = 0;
    this.#possible = 0;
  }

  close(): void {
    this.#bus.close();
  }
}

/** The body of a whole request with one of the two heads above; null for any other bytes. */
function plainBody(bytes: Buffer, headOf: (length: number) => string): Buffer | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const body = bytes.subarray(end + 4);
  return bytes.toString('latin1', 0, end + 4) === headOf(body.length) ? body : null;
}

const publishStatuses = { accepted: [202, 409], refused: [422], maybe: [202, 409, 422] } as const;
const changeStatuses = { accepted: [200, 409, 422], refused: [422], maybe: [200, 409, 422] } as const;

/** A whole write is answered, and as its body deserves. 409: a source_id used with other input, a terminal status. 503: more at once than is taken. */
function checkWrite({ bytes }: FuzzCase, answers: readonly RawAnswer[]): void {
  const published = plainBody(bytes, publishHead);
  const changed = published === null ? plainBody(bytes, changeHead) : null;
  if (published === null && changed === null) return;
  const [answer] = answers;
  demand(answer !== undefined, 'a whole request without an answer');
  if (answer.status === 503 || isBare(answer)) return;
  const length = (published ?? changed ?? bytes).length;
  if (length > 1_048_576) {
    demand(answer.status === 413, `a body of ${length} bytes was answered ${answer.status}`);
    return;
  }
  const statuses: readonly number[] =
    published === null ? changeStatuses[readChange(changed ?? bytes)] : publishStatuses[readPublish(published).reading];
  demand(
    statuses.includes(answer.status),
    `answered ${answer.status} instead of ${statuses.join(' or ')}: ${answer.body.slice(0, 400)}`,
  );
}

export const httpTarget: FuzzTarget = {
  name: 'http',
  share: 20,
  needsSystem: true,
  async open(system: System | null): Promise<Fuzzer> {
    if (system === null) throw new FuzzFailure('this target needs the running program');
    const port = Number(new URL(system.http).port);
    const ledger = new Ledger(system.grpc);
    await ledger.settle();
    return {
      parallel: 64,
      // Half a second a try, and what depends on the cuts would be lost.
      shrinks: false,
      make(random) {
        const bytes = requestOf(random);
        return { bytes, cuts: cutsOf(random, bytes.length) };
      },
      async check(fuzzCase) {
        const { text, closed } = await converse(port, fuzzCase);
        const read = readAnswers(text, /HEAD/.test(fuzzCase.bytes.toString('latin1')));
        for (const answer of read.answers) checkAnswer(answer);
        checkWrite(fuzzCase, read.answers);
        ledger.note(fuzzCase, read);
        const [first] = read.answers;
        if (first === undefined) return closed ? 'cut' : 'unanswered';
        return `${first.status}${isBare(first) ? ' bare' : ''}${read.streaming ? ' stream' : ''}`;
      },
      async settle() {
        demand(system.process.exitCode === null, `the program ended: ${system.stderr().slice(-2_000)}`);
        demand((await system.fetch('/healthz')).status === 200, 'the health route does not answer 200');
        await ledger.settle();
      },
      close() {
        ledger.close();
      },
    };
  },
};
