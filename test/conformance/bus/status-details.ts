import protobuf from 'protobufjs';

export interface Violation {
  readonly field: string;
  readonly description: string;
}

const { root } = protobuf.parse(`syntax = "proto3";
message Any { string type_url = 1; bytes value = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message FieldViolation { string field = 1; string description = 2; }
message BadRequest { repeated FieldViolation field_violations = 1; }`);

const statusType = root.lookupType('Status');
const badRequestType = root.lookupType('BadRequest');

/** The violations of every google.rpc.BadRequest in a google.rpc.Status; bytes that are none are one violation that says so. */
export function violationsOf(bytes: Uint8Array): readonly Violation[] {
  try {
    return decoded(bytes);
  } catch (error) {
    return [{ field: 'grpc-status-details-bin is no google.rpc.Status', description: String(error) }];
  }
}

function decoded(bytes: Uint8Array): readonly Violation[] {
  const { details } = statusType.toObject(statusType.decode(bytes), { defaults: true }) as {
    details: { typeUrl: string; value: Uint8Array }[];
  };
  return details
    .filter(({ typeUrl }) => typeUrl.endsWith('/google.rpc.BadRequest'))
    .flatMap(({ value }) => {
      const badRequest = badRequestType.toObject(badRequestType.decode(value), { defaults: true });
      return (badRequest as { fieldViolations: Violation[] }).fieldViolations;
    });
}
