import { randomUUID } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { Browser, Page } from 'playwright-core';
import { browserTest, openBrowser } from '../support/browser.ts';
import { type System, startSystem } from '../support/system.ts';

const inBrowser = await browserTest(test);

let browser: Promise<Browser> | null = null;
test.after.always(async () => {
  await (await browser)?.close();
});

/** A page in a profile of its own: six connections to an origin are shared by all pages of one. */
async function newPage(t: ExecutionContext): Promise<Page> {
  browser ??= openBrowser();
  const context = await (await browser).newContext();
  t.teardown(() => context.close());
  return context.newPage();
}

interface Relay {
  readonly url: string;
  readonly cut: () => number;
  /** So many of the next connections are answered as by a proxy whose server is restarting. */
  badGateways: number;
}

const badGateway = 'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** A TCP relay whose connections can be cut, as a network would. */
async function cuttableRelay(t: ExecutionContext, target: string): Promise<Relay> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  const server: Server = createServer((near) => {
    if (relay.badGateways > 0) {
      relay.badGateways -= 1;
      near.once('data', () => near.end(badGateway));
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  const relayPort = typeof address === 'object' && address !== null ? address.port : 0;
  const relay: Relay = {
    url: `http://127.0.0.1:${relayPort}`,
    cut: () => {
      const count = open.size;
      for (const socket of open) socket.resetAndDestroy();
      return count;
    },
    badGateways: 0,
  };
  return relay;
}

interface Seen {
  readonly events: string[];
  readonly states: string[];
}

/** Opens an EventSource of the page itself; what it sees is kept on `window.seen`. */
async function watch(page: Page, query: string): Promise<void> {
  await page.evaluate((text) => {
    const seen: Seen = { events: [], states: [] };
    const source = new EventSource(`/api/v1/storage/events?${text}`);
    Object.assign(globalThis, { seen, source });
    source.addEventListener('storage.object.created', (event) => {
      const { data } = event as Event & { readonly data: string };
      seen.events.push((JSON.parse(data) as { path: string }).path);
    });
    source.onmessage = () => seen.states.push('message');
    for (const name of ['ready', 'gap', 'done', 'open']) source.addEventListener(name, () => seen.states.push(name));
    source.addEventListener('error', () => seen.states.push(`error ${source.readyState}`));
  }, query);
}

const seenBy = (page: Page): Promise<Seen> => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen);

async function until(page: Page, condition: (seen: Seen) => boolean): Promise<Seen> {
  await page.waitForFunction(`(${condition.toString()})(globalThis.seen)`);
  return seenBy(page);
}

const eventOf = (execution: string, path: string): Record<string, unknown> => ({
  execution_id: execution,
  stage: 's',
  path,
});

async function runningExecution(system: System): Promise<string> {
  const execution = randomUUID();
  await system.put(execution, { status: 'running' });
  return execution;
}

inBrowser('a cut connection resumes by itself with nothing lost, and done then 204 stops it', async (t) => {
  const system = await startSystem(t);
  const relay = await cuttableRelay(t, system.http);
  const execution = await runningExecution(system);
  const page = await newPage(t);
  await page.goto(`${relay.url}/healthz`);
  await watch(page, `execution_id=${execution}`);
  await until(page, (seen) => seen.states.includes('ready'));
  await system.publish(eventOf(execution, 'a'), eventOf(execution, 'b'));
  await until(page, (seen) => seen.events.length === 2);
  t.true(relay.cut() > 0);
  // While the browser is away.
  await system.publish(eventOf(execution, 'c'));
  await until(page, (seen) => seen.events.length === 3);
  await system.publish(eventOf(execution, 'd'));
  await system.put(execution, { status: 'completed' });
  const seen = await until(page, (all) => all.states.includes('error 2'));
  t.deepEqual(seen.events, ['a', 'b', 'c', 'd']);
  t.false(seen.states.includes('message'), 'named events do not reach onmessage');
  t.false(seen.states.includes('gap'));
  t.is(seen.states.filter((state) => state === 'ready').length, 2);
  // done ends the response (error in state 0), the reconnection gets 204 (error in state 2, for good).
  t.deepEqual(seen.states.slice(seen.states.lastIndexOf('done')), ['done', 'error 0', 'error 2']);
});

inBrowser('a stream that was cut before its first event resumes from the position of ready', async (t) => {
  const system = await startSystem(t);
  const relay = await cuttableRelay(t, system.http);
  const execution = await runningExecution(system);
  const page = await newPage(t);
  await page.goto(`${relay.url}/healthz`);
  await watch(page, `execution_id=${execution}`);
  await until(page, (seen) => seen.states.includes('ready'));
  relay.cut();
  await system.publish(eventOf(execution, 'while away'));
  const seen = await until(page, (all) => all.events.length === 1);
  t.deepEqual(seen.events, ['while away']);
});

inBrowser('the page shows events as they come, and the end', async (t) => {
  const system = await startSystem(t);
  const execution = await runningExecution(system);
  await system.put(execution, { tags: ['browser'] });
  const page = await newPage(t);
  const outside: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(system.http) && !request.url().startsWith('data:')) outside.push(request.url());
  });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(system.http);
  await page.fill('input[name=execution_id]', 'browser');
  await page.click('button[type=submit]');
  await page.waitForSelector('#state[data-state=live]');
  await system.publish(eventOf(execution, '<img src=x onerror=alert(1)>.md'));
  await page.waitForSelector('#events li');
  t.is(await page.textContent('#events li .path'), '<img src=x onerror=alert(1)>.md');
  await system.put(execution, { status: 'failed', reason: 'on purpose' });
  await page.locator('#state', { hasText: 'failed' }).waitFor();
  t.deepEqual(outside, []);
  t.deepEqual(faults, []);
});

inBrowser('the page opens its stream anew when a proxy closed it with a 502, and misses nothing', async (t) => {
  const system = await startSystem(t);
  const relay = await cuttableRelay(t, system.http);
  const execution = await runningExecution(system);
  const page = await newPage(t);
  await page.goto(relay.url);
  await page.fill('input[name=execution_id]', execution);
  await page.selectOption('select[name=last_event_id]', 'latest');
  await page.click('button[type=submit]');
  await page.waitForSelector('#state[data-state=live]');
  await system.publish(eventOf(execution, 'before'));
  await page.waitForSelector('#events li');
  relay.badGateways = 2;
  t.true(relay.cut() > 0);
  await system.publish(eventOf(execution, 'while closed'));
  await page.waitForSelector('#events li:nth-child(2)');
  t.is(relay.badGateways, 0);
  t.deepEqual(await page.locator('#events li .path').allTextContents(), ['while closed', 'before']);
});

inBrowser('the API page renders from files of the package alone', async (t) => {
  const system = await startSystem(t);
  const page = await newPage(t);
  const outside: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(system.http) && !request.url().startsWith('data:')) outside.push(request.url());
  });
  await page.goto(`${system.http}/docs`);
  await page.waitForSelector('.opblock-summary-path');
  const paths = await page.locator('.opblock-summary-path').allTextContents();
  t.true(paths.some((path) => path.replaceAll(/[^a-z0-9/]/g, '').includes('/api/v1/storage/events')));
  t.deepEqual(outside, []);
});

// Without this a page of another site could read the streams of whoever runs this on their own machine.
inBrowser('another origin may read only when it is allowed', async (t) => {
  const system = await startSystem(t);
  const execution = await runningExecution(system);
  const page = await newPage(t);
  await page.route('http://evil.example/', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<p>hello</p>' }),
  );
  await page.goto('http://evil.example/');
  const url = `${system.http}/api/v1/storage/events?execution_id=${execution}`;
  const outcome = await page.evaluate(
    (address) =>
      new Promise<string>((resolve) => {
        const source = new EventSource(address);
        source.addEventListener('ready', () => {
          resolve('ready');
        });
        source.addEventListener('error', () => {
          resolve(`error ${source.readyState}`);
        });
      }),
    url,
  );
  t.is(outcome, 'error 2');
});
