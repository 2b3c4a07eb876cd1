import test from 'ava';
import { contextOf, decide, policyOf, type RequestHead } from '../../../src/edge/http/decide.ts';

const policy = policyOf({
  allowedHosts: ['*'],
  corsOrigins: ['*'],
  corsWriteOrigins: [],
  trustedProxies: [],
  version: '0',
});

function responseHeaders(more: Partial<RequestHead>): { readonly status: number; readonly values: string[] } {
  const head = {
    method: 'GET',
    rawPath: '/docs/',
    rawQuery: '',
    host: 'localhost',
    origin: '',
    requestMethod: '',
    requestId: '',
    correlationId: '',
    lastEventId: '',
    contentType: '',
    contentLength: '',
    forwardedFor: '',
    forwardedProto: '',
    remoteAddress: '127.0.0.1',
    ...more,
  };
  const context = contextOf(head, policy, () => 0);
  const decision = decide(head, policy, context);
  const answer = decision.kind === 'answer' ? decision.answer : null;
  return {
    status: answer?.status ?? 200,
    values: [...(answer?.headers ?? []), ...context.headers].map(([, value]) => value),
  };
}

// With `*` configured, and for any `….localhost`, the origin came back as it was: DEL or a byte that is no UTF-8 in a response header.
for (const origin of [
  '\u0006',
  'http://a\u007fb.localhost',
  'http://\ufffd.localhost:3000',
  'https://app.example\u0085',
]) {
  test(`the origin ${JSON.stringify(origin)} is not given back`, (t) => {
    const { values } = responseHeaders({ origin });
    t.deepEqual(
      values.filter((value) => !/^[\x20-\x7e]+$/.test(value)),
      [],
    );
    t.false(values.includes(origin));
  });
}

// The same for the Location of a redirect, which repeats the Host.
for (const host of ['a\u007fb', '\ufffd.localhost', 'é', 'a"b', 'a\\b', '<a>']) {
  test(`the host ${JSON.stringify(host)} is refused, whatever is configured`, (t) => {
    const { status, values } = responseHeaders({ host });
    t.is(status, 403);
    t.false(values.some((value) => value.includes(host)));
  });
}

test('what may stand in a host or an origin still does', (t) => {
  const { status, values } = responseHeaders({ host: 'a_b-1.example:8080', origin: 'capacitor://localhost' });
  t.is(status, 307);
  t.true(values.includes('http://a_b-1.example:8080/docs'));
  t.true(values.includes('capacitor://localhost'));
});
