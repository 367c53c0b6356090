/** What a run is asked for beside training is asked for again where the gen ended in between: nothing of it changes anything. */
import { tagOf } from '../runtime/index.ts';
import type { Cluster } from './cluster.ts';

/** What `work` comes to in a gen that lasts as long. */
export async function askedAgain<T>(cluster: Pick<Cluster, 'settled'>, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (tagOf(error) !== 'WrongGen') throw error;
      await cluster.settled();
    }
  }
}
