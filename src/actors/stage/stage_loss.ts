/** The loss of a microbatch is read from the last stage's device once its way forward is through. */
import type { Device, Tensor } from '../../kernels/device.ts';
import { floats } from '../../kernels/dtype.ts';
import type { Unit } from '../protocol/pass.ts';
import type { LossReport } from '../protocol/parameters.ts';

/** Sum of the tokens' losses, in nats and in token order, and how many tokens have a target. */
export async function lossOf(
  device: Device,
  { microbatch }: Unit,
  losses_R: Tensor,
  targets_R: Tensor,
): Promise<LossReport> {
  const [losses, targets] = await Promise.all([device.read(losses_R), device.read(targets_R)]);
  let tokens = 0;
  for (const target of targets) if (target >= 0) tokens++;
  return { microbatch, sum: floats('losses', losses).reduce((sum, loss) => sum + loss, 0), tokens };
}
