import type * as Vendor from 'uWebSockets.js';
import { StartError } from '../core/failure.ts';
import { requestHeadBytesMax } from '../core/limits.ts';

export type Uws = typeof Vendor;

let loading: Promise<Uws> | undefined;

/**
 * The one import of uWebSockets.js. Call it in the main thread before any worker does (createAcceptor and createEdge both call it).
 *
 * The native module reads UWS_HTTP_MAX_HEADERS_SIZE once, when the process first loads it, and from the real environment: a
 * worker's `process.env` is a copy that native code never sees. That is why this file, alone outside the configuration, writes to
 * `process.env`, and why the import is dynamic.
 *
 * Fails with StartError when this platform or Node version has no binary.
 */
export function loadUws(): Promise<Uws> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Uws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(requestHeadBytesMax);
  try {
    return await import('uWebSockets.js');
  } catch (cause) {
    throw noBinary(process.version, `${process.platform}-${process.arch}`, cause);
  }
}

/** The sentence for a Node version or platform that uWebSockets.js has no binary for. */
export function noBinary(nodeVersion: string, platform: string, cause: unknown): StartError {
  return new StartError(
    `uWebSockets.js has no binary for Node ${nodeVersion} on ${platform}: run Rivulet with Node 20 or 22 (glibc Linux, macOS or Windows)`,
    1,
    { cause },
  );
}
