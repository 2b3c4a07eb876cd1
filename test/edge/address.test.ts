import test from 'ava';
import { StartError } from '../../src/core/failure.ts';
import { addressText, clientAddress, proxyList } from '../../src/edge/http/address.ts';
import { startEdge } from '../support/edge-server.ts';
import { ask, RawClient } from '../support/http-client.ts';

const path = '/api/v1/storage/events?execution_id=a';

test('binary addresses become their shortest text; IPv4 inside IPv6 is IPv4', (t) => {
  t.is(addressText(Uint8Array.of(127, 0, 0, 1)), '127.0.0.1');
  t.is(addressText(Buffer.from('00000000000000000000ffff0a000001', 'hex')), '10.0.0.1');
  t.is(addressText(Buffer.from('20010db8000000000000000000000001', 'hex')), '2001:db8::1');
  t.is(addressText(new Uint8Array(0)), 'unknown');
});

test('X-Forwarded-For is walked from the right through trusted hops only', (t) => {
  const proxies = proxyList(['10.0.0.0/8', '::1', '192.168.1.1']);
  for (const [remote, forwarded, client] of [
    ['10.1.1.1', '', '10.1.1.1'],
    ['9.9.9.9', '1.1.1.1', '9.9.9.9'],
    ['10.1.1.1', '1.1.1.1', '1.1.1.1'],
    ['10.1.1.1', '6.6.6.6, 1.1.1.1', '1.1.1.1'],
    ['10.1.1.1', '6.6.6.6, 1.1.1.1 ,10.2.2.2', '1.1.1.1'],
    ['::1', '[2001:db8::7]:443', '2001:db8::7'],
    ['192.168.1.1', '1.2.3.4:55', '1.2.3.4'],
    ['10.1.1.1', 'nonsense', '10.1.1.1'],
    ['10.1.1.1', '1.1.1.1, nonsense, 10.3.3.3', '10.3.3.3'],
    ['10.1.1.1', '10.4.4.4,10.5.5.5', '10.4.4.4'],
    ['10.1.1.1', ',,', '10.1.1.1'],
  ] as const) {
    t.is(clientAddress(remote, forwarded, proxies), client, `${remote} ${forwarded}`);
  }
});

test('a malformed trusted proxy is refused with its text and what is allowed', (t) => {
  for (const entry of ['10.0.0.0/33', 'proxy.local', '', '10.0.0.1/x', '::1/129', '10.0.0.0/-1']) {
    const error = t.throws(() => proxyList([entry]), { instanceOf: StartError });
    t.is(error.exitCode, 2);
    t.true(error.message.includes(`'${entry}'`));
  }
});

// Without this, any client could give itself a fresh address a request and pass the per-address limit.
test('a client’s own X-Forwarded-For counts only behind a trusted proxy', async (t) => {
  const direct = await startEdge(t);
  await ask(direct.port, { path, headers: { 'X-Forwarded-For': '1.1.1.1' } });
  t.is(direct.door.requests[0]?.address, '127.0.0.1');
  const proxied = await startEdge(t, { trustedProxies: ['127.0.0.0/8'] });
  await ask(proxied.port, { path, headers: { 'X-Forwarded-For': ['6.6.6.6', '1.1.1.1'] } });
  const client = await RawClient.open(t, proxied.port);
  client.send(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n`,
  );
  await client.until((seen) => seen.includes('\r\n\r\n'));
  t.deepEqual(
    proxied.door.requests.map((request) => request.address),
    ['1.1.1.1', '2.2.2.2'],
  );
});

test('a redirect behind a trusted proxy keeps https', async (t) => {
  const { port } = await startEdge(t, { trustedProxies: ['127.0.0.1'] });
  const headers = { Host: 'localhost', 'X-Forwarded-Proto': 'https' };
  t.is((await ask(port, { path: '/docs/', headers })).headers.location, 'https://localhost/docs');
  const direct = await startEdge(t);
  t.is((await ask(direct.port, { path: '/docs/', headers })).headers.location, 'http://localhost/docs');
});
