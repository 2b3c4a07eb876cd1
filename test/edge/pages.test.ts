import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { browserTest, openBrowser } from '../support/browser.ts';
import { startEdge } from '../support/edge-server.ts';

const inBrowser = await browserTest(test);

const id = '018f4c1e-7b2a-7cc3-98c4-dc0c0c07398f';

/** A page that records what its policy refused, what it logged as an error and what it asked of other hosts. */
async function watchedPage(t: ExecutionContext, baseUrl: string): Promise<{ page: Page; faults: string[] }> {
  const browser = await openBrowser(t);
  const page = await browser.newPage({ viewport: { width: 360, height: 700 } });
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(baseUrl))
      faults.push(`outside: ${request.url()}`);
  });
  return { page, faults };
}

const event = {
  id,
  type: 'storage.object.created',
  execution_id: id,
  stage: '<img src=x onerror=alert(1)>',
  path: 'reports/<b>summary</b>.md',
  extension: '.md',
  size: 1234,
  time: '2026-11-24T14:27:48.123Z',
};

inBrowser('the home page shows named events as text, says how the stream ended, and fits a phone', async (t) => {
  const server = await startEdge(t);
  const states = [{ execution_id: id, status: 'completed' }];
  server.door.act = (socket) => {
    const ready = JSON.stringify({ type: 'ready', last_event_id: id, executions: states });
    const done = JSON.stringify({ type: 'done', reason: 'executions_terminal', executions: states, last_event_id: id });
    socket.open(Buffer.from(`id: ${id}\nevent: ready\nretry: 1000\ndata: ${ready}\n\n`));
    socket.write(Buffer.from(`id: ${id}\nevent: storage.object.created\ndata: ${JSON.stringify(event)}\n\n`));
    socket.end(Buffer.from(`id: ${id}\nevent: done\ndata: ${done}\n\n`));
    return {};
  };
  const { page, faults } = await watchedPage(t, server.baseUrl);
  await page.goto(`${server.baseUrl}/`);
  await page.fill('input[name=execution_id]', 'demo');
  await page.fill('input[name=extension]', 'md');
  await page.click('button[type=submit]');
  await page.getByText('Finished: completed.', { exact: true }).waitFor();
  t.is(await page.textContent('#events li .path'), event.path);
  t.is(await page.textContent('#events li .where'), `${event.stage} · ${id}`);
  t.is(await page.locator('#events img, #events b').count(), 0);
  t.true(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'));
  const [request] = server.door.requests;
  t.deepEqual(request?.values, ['demo']);
  t.deepEqual(request?.filter, { stage: null, path: null, extension: '.md' });
  t.deepEqual(request?.cursor, { kind: 'earliest' });
  t.is(server.door.requests.length, 1, 'a finished stream is not opened again');
  t.deepEqual(faults, []);
});

inBrowser('the docs page renders the description under its policy, with no request to another host', async (t) => {
  const server = await startEdge(t);
  const { page, faults } = await watchedPage(t, server.baseUrl);
  await page.goto(`${server.baseUrl}/docs`);
  await page.waitForSelector('.opblock');
  t.is(await page.locator('.opblock').count(), 7);
  t.true((await page.textContent('.title'))?.startsWith('Rivulet'));
  await page.click('#operations-storage-stream_storage_events .opblock-summary');
  await page.waitForSelector('[data-param-name="control_events"]');
  t.deepEqual(faults, []);
});
