/** A bench could not be run, or its run is void. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}
