import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';

/** The frame of Server-Sent Events that a peer without frames of its own is to send when a stream opens. */
export const readyFrame = 'event: ready\ndata: {"type":"ready"}\n\n';

/** A server process of one of the peers in Node: a stream on GET, an event in the body of a POST. */
export function serve(open: RequestListener, publish: (body: string) => void): void {
  const server = createServer((request, response) => {
    if (request.method === 'POST') take(request, response, publish);
    else open(request, response);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    process.stdout.write(`rivulet ready port=${port}\n`);
  });
  // Whoever started it is gone when its standard input ends.
  createInterface({ input: process.stdin }).once('close', () => process.exit(0));
  process.once('SIGTERM', () => process.exit(0));
}

function take(request: IncomingMessage, response: ServerResponse, publish: (body: string) => void): void {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => {
    body += part;
  });
  request.once('end', () => {
    publish(body);
    response.writeHead(204).end();
  });
}
