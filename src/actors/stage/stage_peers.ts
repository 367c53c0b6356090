/**
 * Whom a stage exchanges rows with: the routers of its mixtures and the stages that share its streams. It knows them by
 * address, and which tensor their rows belong to.
 */
import type { Tensor } from '../../kernels/device.ts';
import type { ActorScope, TensorPayload } from '../../runtime/index.ts';
import { routerProtocol } from '../protocol/router.ts';
import type { Rows } from '../protocol/rows.ts';
import { stageProtocol } from '../protocol/stage.ts';
import type { Microbatch } from './batch_port.ts';
import type { RowsPort } from './rows_port.ts';
import type { StageContext } from './stage_context.ts';
import { gradientKey, type Peer } from './stage_plan.ts';
import type { Outgoing, StageRun } from './stage_run.ts';

export interface PeerParts {
  readonly port: RowsPort;
  /** One for each microbatch that may be under way at once. */
  readonly contexts: readonly StageContext[];
  /** Addresses of its peers: of a router by its mixture's id, of a stage by its pipeline rank. */
  readonly peers: ReadonlyMap<Peer, string>;
}

export class StagePeers {
  private readonly parts: PeerParts;
  private readonly scope: Pick<ActorScope, 'address' | 'ref'>;
  private readonly byAddress: ReadonlyMap<string, Peer>;

  constructor(parts: PeerParts, scope: Pick<ActorScope, 'address' | 'ref'>) {
    this.parts = parts;
    this.scope = scope;
    this.byAddress = new Map([...parts.peers].map(([peer, address]) => [address, peer]));
  }

  /** The tensor for rows of a stream, or of its gradient, that a peer sends. Throws where it owes none. */
  keyOf(stream: string, sender: string, isGradient: boolean): string {
    const peer = this.byAddress.get(sender);
    const key = peer === undefined ? null : this.parts.contexts[0].plan.keyOf(stream, peer, isGradient);
    if (key === null) throw new Error(`${this.scope.address}: rows of ${stream} from ${sender}, which owes none`);
    return key;
  }

  /** Lays rows that have come into the memory for them. */
  lay(rows: Rows, tensor: Tensor): void {
    this.parts.port.scatter(rows, [{ tensor, rows: rows.shape[0] }]);
  }

  /** Sends what goes out of a microbatch, forward or back. `lossScale`: of the gradients, 1 if left out. */
  async send({ unit, context, batch, phase }: StageRun, outgoing: Outgoing, lossScale?: number): Promise<void> {
    const { tensors } = context;
    const isBack = phase === 'backward';
    if (outgoing.does === 'hand') {
      const { to, gives, takes } = outgoing.step;
      const router = this.scope.ref(routerProtocol, this.addressOf(to));
      const tensor = tensors[isBack ? gradientKey(takes) : gives];
      // They live until the answer comes, see `tensor_lives.ts`.
      const rows = await this.parts.port.lend({ tensor, rows: tensor.shape[0] }, router.address);
      const scaled = lossScale === undefined ? {} : { lossScale };
      if (isBack) router.tell.combineGradient({ ...unit, ...scaled, rows });
      else router.tell.route({ ...unit, ...padding(batch), rows });
      return;
    }
    for (const rank of outgoing.to) {
      const other = this.scope.ref(stageProtocol, this.addressOf(rank));
      const { stream: name } = outgoing;
      const rows = await this.rowsOf(tensors[isBack ? gradientKey(name) : name], other.address);
      if (isBack) other.tell.streamGradient({ ...unit, name, rows });
      else other.tell.stream({ ...unit, name, rows });
    }
  }

  private addressOf(peer: Peer): string {
    const address = this.parts.peers.get(peer);
    if (address === undefined) throw new Error(`${this.scope.address}: it has no peer ${peer}`);
    return address;
  }

  private rowsOf(tensor: Tensor, to: string): Promise<Rows> {
    return this.parts.port.gather([{ tensor, rows: tensor.shape[0] }], to);
  }
}

/** What of a microbatch is padding, for whoever routes its rows. */
function padding({ live_R: data }: Microbatch): { live_R?: TensorPayload } {
  return data === null ? {} : { live_R: { dtype: 'u8', shape: [data.length], data } };
}
