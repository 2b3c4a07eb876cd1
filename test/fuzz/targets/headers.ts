import { isIP } from 'node:net';
import type { Answer, AnswerContext } from '../../../src/edge/http/answer.ts';
import { contextOf, decide, type Policy, policyOf, type RequestHead } from '../../../src/edge/http/decide.ts';
import type { Random } from '../../support/seed.ts';
import { demand, type Fuzzer, type FuzzTarget, whole } from '../fuzz-target.ts';
import { mutate, wordsOf } from '../mutate.ts';

/** The decisions on a request's head, with any bytes in its headers: no throw, no byte in a response header that may not stand there, nobody let in. */

const fieldNames = [
  'method',
  'rawPath',
  'rawQuery',
  'host',
  'origin',
  'requestMethod',
  'requestId',
  'correlationId',
  'lastEventId',
  'contentType',
  'contentLength',
  'forwardedFor',
  'forwardedProto',
  'remoteAddress',
] as const;
type FieldName = (typeof fieldNames)[number];

const choices: Readonly<Record<FieldName, readonly string[]>> = {
  method: ['GET', 'POST', 'PUT', 'OPTIONS', 'HEAD', 'DELETE', 'get', '*'],
  rawPath: [
    '/',
    '/docs',
    '/docs/',
    '/healthz//',
    '/api/v1/storage/events',
    '/api/v1/storage/events/',
    '/api/v1/executions/x%0d%0aX:y/',
    '/api/v1/executions/0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71',
    '/assets/%C3%A9/',
    '/assets/%F0%9F/',
    '//docs//',
    '*',
    'http://localhost/docs',
  ],
  rawQuery: ['', 'execution_id=a', 'execution_id=a&timeout=0', 'a\r\nb', 'é=\u{10ffff}'],
  host: [
    'localhost',
    'localhost:8080',
    '127.0.0.1',
    '[::1]:80',
    'a.localhost.',
    'evil.example',
    'my.example:443',
    '127.0.0.1@evil.example',
    'localhost:99999999',
    '',
  ],
  origin: [
    '',
    'http://localhost:3000',
    'https://app.example',
    'https://writer.example',
    'null',
    'http://evil.example',
    'http://localhost:3000/x',
    'http://a b.localhost',
  ],
  requestMethod: ['', 'POST', 'GET'],
  requestId: ['', 'r-1', 'x'.repeat(128), 'x'.repeat(129), 'a\r\nSet-Cookie: b'],
  correlationId: ['', 'c-1', '\u007f'],
  lastEventId: [
    '',
    '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71',
    '00000000-0000-0000-0000-000000000000',
    'earliest',
    'latest',
    'x'.repeat(300),
    '\ud83d\ude00'.repeat(70),
  ],
  contentType: [
    '',
    'application/json',
    'Application/JSON; charset=utf-8',
    'text/plain',
    'application/jsonx',
    ' application/json ;',
  ],
  contentLength: ['', '0', '1048576', '1048577', '-1', '1e9', 'NaN', '0x10', '99999999999999999999'],
  forwardedFor: [
    '',
    '1.2.3.4',
    'evil, 10.0.0.1',
    '::1, [2001:db8::1]:80, 10.1.2.3',
    ',,,',
    '1.2.3.4:80',
    'fe80::1%eth0',
    '[',
    '0x7f.1',
  ],
  forwardedProto: ['', 'https', 'HTTPS', 'javascript'],
  remoteAddress: ['127.0.0.1', '10.0.0.1', '::1', 'unknown', '2001:db8::9'],
};

const words = wordsOf(
  '\r\n',
  '\n',
  '\0',
  '\u007f',
  '\u0085',
  '\u2028',
  'é',
  '%0d%0a',
  '://',
  '@',
  ':',
  '[',
  ']',
  '..',
  ',',
  ' ',
  '\t',
  'localhost',
  '.localhost',
  'http://',
);

/** A case: fields, each as its index, the low and the high byte of its length, its bytes. What does not parse ends the case. */
function encode(random: Random): Buffer {
  const parts = fieldNames.flatMap((name, index) => {
    if (random.oneIn(4)) return [];
    const valid = Buffer.from(random.pick(choices[name]));
    // The name of a method or an address is not the client's to spoil: uWebSockets.js makes them.
    const value = random.oneIn(3) && name !== 'remoteAddress' ? mutate(random, valid, words) : valid;
    return [Buffer.from([index, value.length & 0xff, value.length >> 8]), value];
  });
  return Buffer.concat(parts);
}

function decode(bytes: Buffer): RequestHead {
  const head = Object.fromEntries(fieldNames.map((name) => [name, choices[name][0] ?? ''])) as Record<
    FieldName,
    string
  >;
  for (let at = 0; at + 3 <= bytes.length; ) {
    const name = fieldNames[(bytes[at] ?? 0) % fieldNames.length] ?? 'host';
    const length = bytes.readUInt16LE(at + 1);
    // As uWebSockets.js hands texts over: UTF-8, U+FFFD for what is none.
    head[name] = bytes.toString('utf8', at + 3, at + 3 + length);
    at += 3 + length;
  }
  return head;
}

const settings = {
  allowedHosts: ['my.example'],
  corsOrigins: ['https://app.example'],
  corsWriteOrigins: ['https://writer.example'],
  trustedProxies: ['10.0.0.0/8', '::1'],
  version: '0',
};
const strict = policyOf(settings);
const open = policyOf({ ...settings, allowedHosts: ['*'], corsOrigins: ['*'], corsWriteOrigins: ['*'] });

const visible = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const token = /^[A-Za-z0-9-]+$/;

function checkHeaders(answer: Answer | null, context: AnswerContext): void {
  for (const [name, value] of [...(answer?.headers ?? []), ...context.headers]) {
    demand(token.test(name), `the header name ${JSON.stringify(name)}`);
    demand(visible.test(value), `${name}: ${JSON.stringify(value)}`);
  }
}

const loopback = /^(?:localhost|[^:@/\s]*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])\.?(?::\d{1,5})?$/i;

function checkAccess(head: RequestHead, kind: string, status: number, context: AnswerContext): void {
  const known = loopback.test(head.host) || /^my\.example\.?(?::\d{1,5})?$/i.test(head.host);
  demand(known || status === 403, `the host ${JSON.stringify(head.host)} was let in`);
  const allowed = context.headers.find(([name]) => name === 'Access-Control-Allow-Origin')?.[1];
  if (allowed !== undefined) {
    demand(allowed === head.origin, 'an origin that did not ask');
    const bare = /^https?:\/\/([^/?#]*)$/i.exec(allowed)?.[1] ?? '';
    const listed = ['https://app.example', 'https://writer.example'].includes(allowed.toLowerCase());
    demand(listed || loopback.test(bare), `the origin ${JSON.stringify(allowed)} may read`);
  }
  if (kind !== 'body') return;
  demand(/^\s*application\/json\s*(?:;|$)/i.test(head.contentType), `a write of ${JSON.stringify(head.contentType)}`);
  const own = /^https?:\/\/([^/?#]+)$/i.exec(head.origin)?.[1]?.toLowerCase() === head.host.toLowerCase();
  const listed = head.origin.toLowerCase() === 'https://writer.example';
  demand(head.origin === '' || own || listed, `a write from ${JSON.stringify(head.origin)}`);
}

function checkAnswer(answer: Answer, context: AnswerContext): void {
  demand(answer.status < 500, `answered ${answer.status}`);
  if (answer.status < 400 || answer.body === null) return;
  const body = JSON.parse(String(answer.body)) as Record<string, unknown>;
  if (answer.status === 422) demand(Array.isArray(body['detail']), 'a 422 without its list');
  else
    demand(
      body['correlation_id'] === context.correlationId && typeof body['error_code'] === 'string',
      'an error that is no ErrorResponse',
    );
}

function check(head: RequestHead, policy: Policy): string {
  const context = contextOf(head, policy, () => 0);
  const ownId = [head.requestId, head.correlationId].find((id) => /^[!-~]{1,128}$/.test(id));
  demand(
    ownId === undefined ? context.correlationId.length === 36 : context.correlationId === ownId,
    `the correlation id ${JSON.stringify(context.correlationId)}`,
  );
  const decision = decide(head, policy, context);
  const answer = decision.kind === 'answer' ? decision.answer : null;
  checkHeaders(answer, context);
  if (answer !== null) checkAnswer(answer, context);
  if (policy === strict) checkAccess(head, decision.kind, answer?.status ?? 200, context);
  if (decision.kind === 'stream') {
    const { address, cursor } = decision.request;
    demand(address === head.remoteAddress || isIP(address) !== 0, `the address ${JSON.stringify(address)}`);
    demand(
      cursor.kind !== 'malformed' || (cursor.text.length <= 128 && cursor.text.isWellFormed()),
      'a cursor that cannot be given back',
    );
  }
  return answer === null ? decision.kind : String(answer.status);
}

export const headersTarget: FuzzTarget = {
  name: 'headers',
  share: 200,
  needsSystem: false,
  open(): Fuzzer {
    return {
      make: (random) => whole(encode(random)),
      check({ bytes }) {
        const head = decode(bytes);
        check(head, open);
        return check(head, strict);
      },
    };
  },
};
