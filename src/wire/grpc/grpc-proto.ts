import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { InvariantError } from '../../core/assert.ts';
import type * as messages from '../bus/bus-messages.ts';
import { BatchAssembly } from '../record/message-assembly.ts';

// grpc-js would write to standard error on its own, past the log; whatever it has to say reaches the caller as an error.
setLogVerbosity(logVerbosity.NONE);

export const busServiceName = 'rivulet.bus.v1.StorageEventBus';
const protoFile = 'rivulet/bus/v1/storage_event_bus.proto';

/** The package's `proto` directory, from src/ and from build/src/ alike. */
function protoDirectory(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    const candidate = join(directory, 'proto');
    if (existsSync(join(candidate, protoFile))) return candidate;
    if (dirname(directory) === directory) throw new InvariantError(`${protoFile} is not part of the package`);
  }
}

/** Messages in the shape of bus-messages.ts. Loaded once per thread, about 20 ms. */
export const busPackage: PackageDefinition = loadSync(protoFile, {
  keepCase: true,
  longs: Number,
  enums: Number,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: false,
  includeDirs: [protoDirectory()],
});

function methodOf<Request extends object, Response extends object>(name: string): MethodDefinition<Request, Response> {
  const method = (busPackage[busServiceName] as ServiceDefinition | undefined)?.[name];
  if (method === undefined) throw new InvariantError(`the proto has no method ${name}`);
  return method as unknown as MethodDefinition<Request, Response>;
}

/** The methods of the service, typed. */
export const busMethods = {
  publish: methodOf<messages.PublishRequestMessage, messages.PublishResponseMessage>('Publish'),
  publishStream: methodOf<messages.PublishRequestMessage, messages.PublishResponseMessage>('PublishStream'),
  subscribe: methodOf<messages.SubscribeRequestMessage, messages.RecordBatchMessage>('Subscribe'),
  read: methodOf<messages.ReadRequestMessage, messages.RecordBatchMessage>('Read'),
  executions: methodOf<messages.ExecutionsRequestMessage, messages.ExecutionsResponseMessage>('Executions'),
  describe: methodOf<messages.DescribeRequestMessage, messages.DescribeResponseMessage>('Describe'),
} as const;

/** Decodes a whole batch to plain objects: for tools and tests, not for the path of an event. */
export function decodeRecordBatch(bytes: Buffer): messages.RecordBatchMessage {
  return busMethods.subscribe.responseDeserialize(bytes);
}

/** Decodes one encoded Record, as the journal stores it. */
export function decodeRecord(bytes: Uint8Array): messages.RecordMessage {
  const assembly = new BatchAssembly();
  assembly.add(bytes);
  const [record] = decodeRecordBatch(assembly.finish(0, '')).records;
  if (record === undefined) throw new InvariantError('a batch of one record has none');
  return record;
}
