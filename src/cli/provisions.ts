/**
 * Provisions are tried one after the other, each whatever became of those before: a machine that cannot have a nats-server
 * may have a driver.
 */
import { exitCodes } from './failure.ts';

/** The first exit code that is none of success. Throws what the first one threw, if that failure came before. */
export async function provideEach(provisions: Iterable<() => Promise<number>>): Promise<number> {
  const ends: PromiseSettledResult<number>[] = [];
  for (const provide of provisions) ends.push(...(await Promise.allSettled([provide()])));
  for (const end of ends) {
    if (end.status === 'rejected') throw end.reason;
    if (end.value !== exitCodes.done) return end.value;
  }
  return exitCodes.done;
}
