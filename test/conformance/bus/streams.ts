import type { PublishEntryMessage, PublishResponseMessage } from '../../../src/wire/bus/bus-messages.ts';
import { type Check, equal, holds, matches } from '../kit/check.ts';
import { type BusDoor, event, methods, newExecution } from './door.ts';

/** Answers of a PublishStream to these requests, each as the wire has it. */
function streamed(
  bus: BusDoor,
  requests: readonly (readonly PublishEntryMessage[])[],
): Promise<readonly PublishResponseMessage[]> {
  const call = bus.publishStream();
  const answers: PublishResponseMessage[] = [];
  bus.waiting = `${requests.length} replies of PublishStream`;
  return new Promise((resolve, reject) => {
    call.on('data', (answer: PublishResponseMessage) => answers.push(answer));
    call.on('error', reject);
    call.once('end', () => {
      bus.waiting = null;
      resolve(answers);
    });
    for (const entries of requests) call.write({ entries });
    call.end();
  });
}

export const streamChecks: readonly Check<BusDoor>[] = [
  {
    id: 'bus/publish-stream/a-reply-each-in-order',
    section: 'proto: PublishStream',
    run: async (bus) => {
      const execution = newExecution();
      const answers = await streamed(
        bus,
        Array.from({ length: 200 }, (_, n) => [event(execution, `p${n}`)]),
      );
      equal(answers.length, 200, 'one reply a request');
      const { records } = await bus.read({ execution_ids: [execution] });
      const pathOf = new Map(records.map(({ id, event: stored }) => [id, stored?.path]));
      equal(
        answers.map(({ ids }) => pathOf.get(ids[0] ?? '')),
        answers.map((_, n) => `p${n}`),
        'reply n is that of request n',
      );
      const sequences = answers.map(({ last_sequence }) => last_sequence);
      equal(
        sequences,
        [...sequences].sort((a, b) => a - b),
        'appended in the order of the requests',
      );
    },
  },
  {
    id: 'bus/publish-stream/refusal-goes-on',
    section: 'proto: PublishStream',
    run: async (bus) => {
      const execution = newExecution();
      const paths = ['a', 'b//c', 'd'];
      const answers = await streamed(
        bus,
        paths.map((path) => [event(execution, path)]),
      );
      equal(
        answers.map(({ ids }) => ids.length),
        [1, 0, 1],
        'the others are answered with ids',
      );
      const refused = answers[1]?.error;
      equal([refused?.code, refused?.field_violations[0]?.field], [3, 'entries[0].event.path'], 'code and field');
      matches(refused?.message, /./, 'message');
      holds(!answers[0]?.error && !answers[2]?.error, 'no error on the others', answers);
      equal((await bus.execution(execution))?.events, 2, 'events');
    },
  },
  {
    id: 'bus/service/health',
    section: 'proto: standard services',
    run: async (bus) => {
      const asIs = (bytes: Buffer): Buffer => bytes;
      const check = { path: '/grpc.health.v1.Health/Check', requestSerialize: asIs, responseDeserialize: asIs };
      equal([...(await bus.unary(check, Buffer.alloc(0)))], [8, 1], 'SERVING');
    },
  },
  {
    id: 'bus/service/reflection',
    section: 'proto: standard services',
    run: async (bus) => {
      // ServerReflectionRequest { list_services: "*" }
      const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
      const answer = (await bus.firstBytes(path, Buffer.from([0x3a, 1, 0x2a]))).toString('latin1');
      for (const name of ['rivulet.bus.v1.StorageEventBus', 'grpc.health.v1.Health']) {
        holds(answer.includes(name), `${name} is listed`, answer);
      }
    },
  },
  {
    id: 'bus/service/message-beyond-4-mib',
    section: 'proto: SIZES',
    run: async (bus) => {
      const refusal = await bus.refused(event(newExecution(), 'a', { uri: 'u'.repeat(5_000_000) }));
      holds(['RESOURCE_EXHAUSTED', 'INVALID_ARGUMENT'].includes(refusal.code), 'refused', refusal.code);
      holds((await bus.unary(methods.describe, {})).journal_id !== '', 'and the service goes on', null);
    },
  },
];
