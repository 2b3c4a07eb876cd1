import type { FuzzTarget } from './fuzz-target.ts';
import { bodyTarget } from './targets/body.ts';
import { grpcTarget } from './targets/grpc.ts';
import { headersTarget } from './targets/headers.ts';
import { httpTarget } from './targets/http.ts';
import { queryTarget } from './targets/query.ts';
import { recordTarget } from './targets/record.ts';
import { windowTarget } from './targets/window.ts';

/** In the order in which a long run takes them; their shares make a thousand. */
export const fuzzTargets: readonly FuzzTarget[] = [
  httpTarget,
  grpcTarget,
  queryTarget,
  headersTarget,
  bodyTarget,
  recordTarget,
  windowTarget,
];
