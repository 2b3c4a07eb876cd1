/** Runs it `count` times, `width` at a time; rejects with the first failure, when none is under way any more. */
export async function together(count: number, width: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next;
      next += 1;
      try {
        await run(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane));
  const rejected = lanes.find((one) => one.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
}
