import test from 'ava';
import { startEdge } from '../../support/edge-server.ts';
import { RawClient } from '../../support/http-client.ts';

const executionId = '0199b6a2-7c1e-7f00-9a3b-5d2e8f4c6a71';

// uWebSockets.js never says that a body of no bytes is complete when the head came in two segments: the request waited for ever.
for (const line of ['POST /api/v1/storage/events', `PUT /api/v1/executions/${executionId}`]) {
  test(`${line} with Content-Length: 0 is answered, wherever its head is cut behind the request line`, async (t) => {
    const { port } = await startEdge(t);
    const first = `${line} HTTP/1.1\r\n`;
    const rest = 'Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n';
    for (let cut = 0; cut <= rest.length; cut += 6) {
      const client = await RawClient.open(t, port);
      client.socket.setNoDelay(true);
      client.send(first + rest.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 2));
      client.send(rest.slice(cut));
      t.regex(await client.until((seen) => seen.includes('Field required')), /^HTTP\/1\.1 422 /, `cut at ${cut}`);
    }
  });
}
