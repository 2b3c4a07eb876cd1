import { createChannel, createSession } from 'better-sse';
import { serve } from './http-peer.ts';

/** better-sse as its guide shows it: a channel, a session a request, `broadcast`. It serializes the data itself. */
const channel = createChannel();

interface Published {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

serve(
  (request, response) => {
    void createSession(request, response).then((session) => {
      channel.register(session);
      session.push({ type: 'ready' }, 'ready');
    });
  },
  (body) => {
    const { id, event, data } = JSON.parse(body) as Published;
    channel.broadcast(data, event, { eventId: id });
  },
);
