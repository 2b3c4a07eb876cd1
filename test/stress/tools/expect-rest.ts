import type { SseClient } from '../../support/sse-client.ts';
import { hold, type StressContext } from '../scenario.ts';

interface Rest {
  readonly owed: readonly string[];
  readonly ends: boolean;
  readonly controlEvents: boolean;
}

/** What an open stream brings: exactly the rest; then its end, where it has one. */
export async function expectRest(
  context: StressContext,
  client: SseClient,
  { owed, ends, controlEvents }: Rest,
  say: (what: string) => string,
): Promise<void> {
  if (ends) await client.end();
  else {
    await client.count(owed.length);
    client.cut();
  }
  hold(JSON.stringify(client.ids) === JSON.stringify(owed), () =>
    say(`brought ${client.ids.length}: ${client.ids.join(' ')}`),
  );
  const kinds = client.received.map(({ event }) => event ?? '').filter((kind) => kind !== 'storage.object.created');
  if (ends) {
    const expected = controlEvents ? 'ready done' : '';
    hold(kinds.join(' ') === expected, () => say(`control events: ${kinds.join(' ')}`));
  } else hold(!kinds.includes('done') && !kinds.includes('gap'), () => say(`control events: ${kinds.join(' ')}`));
  context.checked('deliveries', owed.length);
}
