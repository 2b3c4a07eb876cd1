import type { PublishResponseMessage } from '../bus/bus-messages.ts';
import { uuidBytes } from '../record/uuid-bytes.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** Tag and length of an id of 36 characters, both of which happen to be characters themselves. */
const idHead = String.fromCharCode(0x0a, uuidBytes);
const sequenceTag = 0x10;

/** A PublishResponse of ids, encoded; `otherwise` encodes one that has an error, or ids that are not ours. */
export function publishAnswerBytes(
  message: PublishResponseMessage,
  otherwise: (message: PublishResponseMessage) => Buffer,
): Buffer {
  const { ids, last_sequence: sequence, error } = message;
  if ((error !== undefined && error !== null) || ids.some((id) => id.length !== uuidBytes)) return otherwise(message);
  const text = ids.length === 0 ? '' : idHead + ids.join(idHead);
  const bytes = Buffer.allocUnsafe(text.length + 1 + varintBytes(sequence));
  bytes.write(text, 0, 'latin1');
  bytes[text.length] = sequenceTag;
  writeVarint(bytes, text.length + 1, sequence);
  return bytes;
}
