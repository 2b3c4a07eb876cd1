import { Client, credentials, status as grpcCode, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { busMethods } from '../../../src/wire/grpc/grpc-proto.ts';
import { executionOf } from '../../support/journal-input.ts';
import { runningBus } from '../../support/running-bus.ts';

const asBytes = (bytes: Buffer): Buffer => bytes;
/** Field 1 with a wire type that there is not. */
const noMessage = Buffer.from([0x0f]);

// grpc-js answers a deserializer that throws with INTERNAL: the server took the blame for the caller's bytes.
for (const [name, method] of Object.entries(busMethods)) {
  test(`${name}: bytes that are no message are INVALID_ARGUMENT`, async (t) => {
    const { address } = await runningBus(t);
    const client = new Client(address, credentials.createInsecure());
    t.teardown(() => {
      client.close();
    });
    if (name === 'publishStream') {
      t.deepEqual(await answersOf(client), [grpcCode.INVALID_ARGUMENT, 0]);
      return;
    }
    const error = await new Promise<ServiceError>((resolve) => {
      if (!method.responseStream) {
        client.makeUnaryRequest(method.path, asBytes, asBytes, noMessage, (failed) => {
          if (failed !== null) resolve(failed);
        });
        return;
      }
      client.makeServerStreamRequest(method.path, asBytes, asBytes, noMessage).on('error', resolve).resume();
    });
    t.is(error.code, grpcCode.INVALID_ARGUMENT);
    t.regex(error.details, /protobuf message/);
  });
}

/** A PublishStream answers the bad request in place and takes the next: the code of each. */
async function answersOf(client: Client): Promise<number[]> {
  const { path, requestSerialize, responseDeserialize } = busMethods.publishStream;
  const call = client.makeBidiStreamRequest(path, asBytes, asBytes);
  const codes: number[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    call.on('data', (answer: Buffer) => codes.push(responseDeserialize(answer).error?.code ?? 0));
    call.on('error', reject);
    call.on('end', resolve);
  });
  call.write(noMessage);
  call.end(requestSerialize({ entries: [{ event: { execution_id: executionOf(1), stage: 's', path: 'p' } }] }));
  await ended;
  return codes;
}
