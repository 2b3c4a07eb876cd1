import type { ServerResponse } from 'node:http';
import { readyFrame, serve } from './http-peer.ts';

/** What one writes in an afternoon: node:http, a set of responses, a write to each. */
const streams = new Set<ServerResponse>();

serve(
  (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
    response.write(readyFrame);
    streams.add(response);
    response.once('close', () => streams.delete(response));
  },
  (frame) => {
    for (const stream of streams) stream.write(frame);
  },
);
