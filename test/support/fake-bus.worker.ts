import { parentPort, workerData } from 'node:worker_threads';

/** A thread that speaks the bus's side of src/app/commands/bus-thread.ts, in the way that the test asks for. */
const { mode } = workerData as { readonly mode: string };

switch (mode) {
  case 'fails':
    parentPort?.postMessage({ kind: 'failed', message: 'the port is taken', exitCode: 1 });
    break;
  case 'crashes':
    throw new TypeError('cannot even begin');
  default:
    parentPort?.on('message', (message: { readonly kind: string }) => {
      if (mode === 'deaf') return;
      if (message.kind === 'stop') parentPort?.close();
      else if (message.kind === 'ping') parentPort?.postMessage({ kind: 'pong' });
      else parentPort?.postMessage({ kind: 'stats', stats: { records: 7 } });
    });
    // Given up, it cannot be ended from outside; here it ends by itself.
    if (mode === 'deaf') setTimeout(() => parentPort?.close(), 6_000);
    parentPort?.postMessage({ kind: 'warning', message: 'the clock stepped' });
    parentPort?.postMessage({ kind: 'ready', port: 4711 });
    if (mode === 'fails-later') {
      parentPort?.postMessage({ kind: 'failed', message: 'the disk is gone', exitCode: 1 });
      parentPort?.close();
    }
}
