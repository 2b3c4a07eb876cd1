export type WireFailure =
  | 'malformed' // not the protobuf of the message, or a value outside what the contract allows
  | 'invalid-utf8' // a string field that is no UTF-8
  | 'id-mismatch' // an id that does not carry the sequence of its record
  | 'out-of-order' // a sequence that does not rise
  | 'record-too-large'; // the finished record would pass a limit

/** Bytes that the bus sent (or a block that crossed threads) are not what the contract says. Nothing of that record was used. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireFailure;
  constructor(code: WireFailure, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}
