/** An actor that answers for the state of the parameters that it holds: checkpoints, digests, and what a gen leaves undone. */
import type { ArgsOf } from '../../runtime/index.ts';
import type { parametersProtocol } from '../protocol/parameters.ts';
import type { Shareholding } from './shareholding.ts';

type Messages = typeof parametersProtocol;

export abstract class StateHolder {
  protected readonly share: Shareholding;

  constructor(share: Shareholding) {
    this.share = share;
  }

  abandon(): number | Promise<number> {
    return this.share.abandon();
  }

  settle(args: ArgsOf<Messages, 'settle'>): Promise<void> {
    return this.share.settle(args);
  }

  save(args: ArgsOf<Messages, 'save'>): ReturnType<Shareholding['save']> {
    return this.share.save(args);
  }

  restore(args: ArgsOf<Messages, 'restore'>): void {
    this.share.restore(args);
  }

  digest(): Promise<Record<string, string>> {
    return this.share.digest();
  }
}
