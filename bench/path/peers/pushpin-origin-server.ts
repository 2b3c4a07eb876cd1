import { readyFrame, serve } from './http-peer.ts';

/** The application behind Pushpin: it answers each stream at once and leaves holding it to Pushpin. */
serve(
  (_, response) => {
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Grip-Hold': 'stream',
      'Grip-Channel': 'bench',
    });
    response.end(readyFrame);
  },
  () => undefined,
);
