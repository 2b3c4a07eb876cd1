import { z } from 'zod';
import * as schemas from '../api/schemas.ts';
import { streamQuery } from '../stream/parameters.ts';

type Json = Record<string, unknown>;

const inComponents = (id: string): string => `#/components/schemas/${id}`;
const ref = (id: string): Json => ({ $ref: inComponents(id) });
const json = (id: string): Json => ({ 'application/json': { schema: ref(id) } });

/** The OpenAPI 3.1 description, made from the very schemas that validate. */
export function openApi(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rivulet',
      version,
      description: 'Storage events of running pipelines as filtered, resumable Server-Sent Events.',
    },
    paths: {
      '/api/v1/storage/events': { get: streamOperation(), post: publishOperation() },
      '/api/v1/executions': { get: listOperation() },
      '/api/v1/executions/{execution_id}': {
        parameters: [executionIdInPath],
        get: getOperation(),
        put: putOperation(),
      },
      '/healthz': { get: healthOperation('Liveness', 'Every shard answers.', 'A shard does not answer.') },
      '/readyz': { get: healthOperation('Readiness', 'Filled from the bus.', 'Not ready; the body says why.') },
    },
    components: { schemas: components() },
  };
}

const described = {
  StorageEventInput: schemas.storageEventInput,
  StorageEventBatch: schemas.storageEventBatch,
  StorageEvent: schemas.storageEvent,
  PublishAccepted: schemas.publishAccepted,
  ExecutionChange: schemas.executionChange,
  Execution: schemas.execution,
  ExecutionPage: schemas.executionPage,
  ReadyFrame: schemas.readyFrame,
  GapFrame: schemas.gapFrame,
  DoneFrame: schemas.doneFrame,
  ErrorResponse: schemas.errorResponse,
  ValidationError: schemas.validationError,
  HTTPValidationError: schemas.httpValidationError,
};

function components(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(described)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io: 'input', uri: inComponents }).schemas;
  return Object.fromEntries(Object.keys(described).map((id) => [id, withoutDialect(made[id] ?? {})]));
}

function withoutDialect(schema: object): Json {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id' && key !== 'id'),
  );
}

/** Query parameters of a schema: what a caller may send, bounds and defaults of the parsed value. */
function queryParameters(shape: Readonly<Record<string, z.ZodType>>): Json[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description, ...rest } = withoutDialect(z.toJSONSchema(schema, { io: 'output' }));
    return { name, in: 'query', required: !schema.safeParse(undefined).success, description, schema: rest };
  });
}

const header = (name: string, description: string): Json => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

const correlation = header('X-Request-ID', 'Given back as a header and in errors: 1 to 128 visible ASCII characters.');

const executionIdInPath: Json = {
  name: 'execution_id',
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
};

const retryAfter: Json = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } };
const visible: Json = {
  'Rivulet-Visible': {
    description: '`pending`: durable, but this router has not yet passed it.',
    schema: { type: 'string', enum: ['pending'] },
  },
};

const error = (description: string, headers?: Json): Json => ({
  description,
  content: json('ErrorResponse'),
  ...(headers === undefined ? {} : { headers }),
});
const validation: Json = { description: 'Validation Error', content: json('HTTPValidationError') };
const answer = (description: string, id: string, headers?: Json): Json => ({
  description,
  content: json(id),
  ...(headers === undefined ? {} : { headers }),
});

const frames = `Each event has \`id\` (a Last-Event-ID), \`event\` and one line of JSON as \`data\`; a heartbeat is a comment line.

* \`storage.object.created\`: StorageEvent
* \`ready\`: ReadyFrame, first; the subscription is in force
* \`gap\`: GapFrame, when events may be missing
* \`done\`: DoneFrame, last, before the server ends the stream`;

function streamOperation(): Json {
  const data = ['StorageEvent', 'ReadyFrame', 'GapFrame', 'DoneFrame'].map(ref);
  return {
    operationId: 'stream_storage_events',
    summary: 'Stream storage events',
    tags: ['storage'],
    parameters: [
      ...queryParameters(streamQuery.shape),
      header('Last-Event-ID', 'Resume after this event; sent by an EventSource when it reconnects.'),
      correlation,
    ],
    responses: {
      200: {
        description: frames,
        content: {
          'text/event-stream': {
            schema: { type: 'string', contentMediaType: 'application/json', contentSchema: { oneOf: data } },
          },
        },
      },
      204: { description: 'Every watched execution is over and nothing is left after the cursor: do not reconnect.' },
      403: error('Host not allowed'),
      404: error('Execution not found'),
      422: validation,
      429: error('Too many streams from this address', retryAfter),
      503: error('Storage event streamer not available, or no capacity', retryAfter),
    },
  };
}

function publishOperation(): Json {
  return {
    operationId: 'publish_storage_events',
    summary: 'Publish storage events',
    tags: ['storage'],
    parameters: [correlation],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: { oneOf: [ref('StorageEventInput'), ref('StorageEventBatch')] } } },
    },
    responses: {
      202: answer('Durable in the journal', 'PublishAccepted', visible),
      403: error('Host or origin not allowed'),
      409: error('The same source_id with different input'),
      413: error('Body too large'),
      415: error('Content-Type is not application/json'),
      422: validation,
      503: error('Bus not available, or too much in flight', retryAfter),
      507: error('The journal is full'),
    },
  };
}

function listOperation(): Json {
  return {
    operationId: 'list_executions',
    summary: 'List executions',
    tags: ['executions'],
    parameters: [...queryParameters(schemas.executionsQuery.shape), correlation],
    responses: {
      200: answer('A page', 'ExecutionPage'),
      403: error('Host not allowed'),
      422: validation,
      503: error('Not available', retryAfter),
    },
  };
}

function getOperation(): Json {
  return {
    operationId: 'get_execution',
    summary: 'Read an execution',
    tags: ['executions'],
    parameters: [correlation],
    responses: {
      200: answer('The execution', 'Execution'),
      403: error('Host not allowed'),
      404: error('Execution not found'),
      422: validation,
      503: error('Bus not available, or this router is behind it', retryAfter),
    },
  };
}

function putOperation(): Json {
  return {
    operationId: 'change_execution',
    summary: 'Create or change an execution',
    tags: ['executions'],
    parameters: [correlation],
    requestBody: { required: true, content: json('ExecutionChange') },
    responses: {
      200: answer('The execution', 'Execution', visible),
      403: error('Host or origin not allowed'),
      409: error('The execution is over; its status is final'),
      413: error('Body too large'),
      415: error('Content-Type is not application/json'),
      422: validation,
      503: error('Bus not available, or too much in flight', retryAfter),
      507: error('The journal is full'),
    },
  };
}

function healthOperation(summary: string, ok: string, failing: string): Json {
  const content = { 'application/json': { schema: { type: 'object' } } };
  return {
    operationId: summary.toLowerCase(),
    summary,
    tags: ['operation'],
    responses: { 200: { description: ok, content }, 503: { description: failing, content } },
  };
}
