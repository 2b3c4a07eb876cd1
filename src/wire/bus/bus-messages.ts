/**
 * The messages of proto/rivulet/bus/v1/storage_event_bus.proto as proto-loader gives and takes them: field names as in the proto, 64-bit
 * numbers and enums as Number, absent fields as their default ('' , 0, []), a field of a oneof or an `optional` one left out.
 */
export interface StorageEventMessage {
  readonly execution_id?: string;
  readonly stage?: string;
  readonly path?: string;
  readonly extension?: string;
  readonly size?: number;
  readonly content_type?: string;
  readonly checksum?: string;
  readonly uri?: string;
  readonly time?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly source_id?: string;
  readonly topic?: string;
}

export interface ExecutionChangeMessage {
  readonly execution_id?: string;
  /** 0: leave it; 1 to 5: the place in core/execution.ts `executionStatuses`, plus one. */
  readonly status?: number;
  readonly tags?: readonly string[];
  readonly reason?: string;
  readonly time?: string;
  readonly topic?: string;
  readonly status_changed?: boolean;
}

export interface PublishEntryMessage {
  readonly event?: StorageEventMessage;
  readonly change?: ExecutionChangeMessage;
}

export interface PublishRequestMessage {
  readonly entries: readonly PublishEntryMessage[];
}

export interface FieldViolationMessage {
  /** As `entries[3].event.stage`. */
  readonly field: string;
  readonly description: string;
}

export interface PublishErrorMessage {
  /** google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly field_violations: readonly FieldViolationMessage[];
  /** 0: nobody knows whether waiting helps. */
  readonly retry_after_ms: number;
}

export interface PublishResponseMessage {
  readonly ids: readonly string[];
  readonly last_sequence: number;
  readonly error?: PublishErrorMessage | null;
}

/** Exactly one key. */
export interface PositionMessage {
  readonly after?: { readonly sequence: number; readonly id: string };
  readonly after_id?: string;
  readonly oldest?: boolean;
  readonly newest?: boolean;
  readonly last_bytes?: number;
}

export interface SubscribeRequestMessage {
  readonly from?: PositionMessage | null;
}

export interface ReadRequestMessage {
  readonly after_sequence?: number;
  readonly until_sequence?: number;
  readonly execution_ids?: readonly string[];
  readonly limit_bytes?: number;
  readonly limit_records?: number;
  readonly events_only?: boolean;
}

export interface ExecutionMessage {
  readonly execution_id: string;
  readonly status: number;
  readonly tags: readonly { readonly tag: string; readonly sequence: number }[];
  readonly reason: string;
  readonly created_sequence: number;
  readonly status_sequence: number;
  readonly last_change_sequence: number;
  readonly last_event_sequence: number;
  readonly events: number;
  readonly bytes: number;
  readonly late_events: number;
  readonly first_event_time: string;
  readonly last_event_time: string;
  readonly created_time: string;
  readonly changed_time: string;
  readonly last_id: string;
}

export interface ExecutionsRequestMessage {
  readonly execution_ids?: readonly string[];
  readonly follow?: boolean;
}

export interface ExecutionsResponseMessage {
  readonly executions: readonly ExecutionMessage[];
  readonly forgotten: readonly string[];
  readonly snapshot_complete: boolean;
  readonly as_of_sequence: number;
}

export interface DescribeRequestMessage {
  readonly cursor?: string;
}

/** The numbers of CursorPlacement.Verdict. */
export const verdictNumbers = { placed: 1, expired: 2, 'unknown-position': 3, malformed: 4 } as const;

export interface DescribeResponseMessage {
  readonly journal_id: string;
  readonly journal_tag: number;
  readonly created_time: string;
  readonly origin_id: string;
  readonly oldest_sequence: number;
  readonly oldest_id: string;
  readonly newest_sequence: number;
  readonly newest_id: string;
  readonly retained_bytes: number;
  readonly retention_max_age_ms: number;
  readonly retention_max_bytes: number;
  readonly damaged_sequence: number;
  readonly placement?: { readonly verdict: number; readonly sequence: number; readonly id: string } | null;
}

export interface RecordMessage {
  readonly sequence: number;
  readonly id: string;
  readonly event?: StorageEventMessage;
  readonly change?: ExecutionChangeMessage;
}

export interface RecordBatchMessage {
  readonly records: readonly RecordMessage[];
  readonly through_sequence: number;
  readonly through_id: string;
}
