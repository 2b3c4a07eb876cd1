import type { RecordBody } from './record-batch.ts';

/** The `data:` line of an event the obvious way: an object in key order, JSON.stringify, and the three line ends that it lets pass. */
export function eventJson(record: RecordBody): string {
  const event = record.event;
  if (event === undefined) throw new TypeError('not an event');
  const optional = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
  const entries = Object.entries(event.metadata ?? {});
  const json = JSON.stringify({
    id: record.id,
    type: 'storage.object.created',
    execution_id: event.executionId,
    stage: event.stage,
    path: event.path,
    extension: optional(event.extension),
    size: event.size,
    content_type: optional(event.contentType),
    checksum: optional(event.checksum),
    uri: optional(event.uri),
    time: optional(event.time),
    metadata: entries.length === 0 ? undefined : Object.fromEntries(entries),
  });
  return json.replaceAll('\u0085', '\\u0085').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

export function eventFrame(record: RecordBody): string {
  return `id: ${record.id}\nevent: storage.object.created\ndata: ${eventJson(record)}\n\n`;
}
