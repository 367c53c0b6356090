/**
 * Mamba mixes tokens by a selective state space (arXiv 2312.00752 §3.4): two projections of the rows, x and the gate z; a causal
 * convolution and SiLU on x; step sizes Δ, B and C made of what comes out; the scan; a gate; a projection back. Names and initial
 * values are those of Hugging Face's `MambaForCausalLM` and of the authors' code. Shape suffixes: see `model.ts`; C channels,
 * N states, k taps, P rank of Δ.
 */
import type { Value } from '../../kernels/graph.ts';
import { causalConv } from '../../kernels/ops/causal_conv.ts';
import { exp } from '../../kernels/ops/exp.ts';
import { mul } from '../../kernels/ops/mul.ts';
import { neg } from '../../kernels/ops/neg.ts';
import { reshape } from '../../kernels/ops/reshape.ts';
import { scale } from '../../kernels/ops/scale.ts';
import { selectiveScan } from '../../kernels/ops/selective_scan.ts';
import { silu } from '../../kernels/ops/silu.ts';
import { slice } from '../../kernels/ops/slice.ts';
import { softplus } from '../../kernels/ops/softplus.ts';
import { inverseSoftplus, logRange, ones, uniform, type Init } from '../init.ts';
import { bias, type Parameter, type ParameterMakers } from '../parameter.ts';
import type { Mixer, SequenceShape } from '../sublayer.ts';
import { linear } from './linear.ts';
import type { MambaConfig } from './mamba_shape.ts';

/** Step sizes that a model begins with, Δ of each channel (arXiv 2312.00752 §3.6). */
const stepSizes = { least: 1e-3, most: 0.1, floor: 1e-4 };

export interface MambaOptions extends MambaConfig {
  /** What the initial projection back is divided by; 1 where it is not: the root of the layers, in a model of Mamba alone. */
  readonly residualScale: number;
}

/** PyTorch's linear layer: evenly within one over the root of its inputs. */
export const fanIn = (inputs: number, divisor = 1): Init => uniform(1 / (Math.sqrt(inputs) * divisor));

export const channelsOf = ({ expand }: MambaConfig, hidden: number): number => expand * hidden;

export function mambaWith(options: MambaOptions): Mixer {
  const core = mambaCore(options);
  return {
    weights: ({ hidden: D }, make) => {
      const C = channelsOf(options, D);
      const { use_bias: isBiased, residualScale } = options;
      return {
        in_2CD: make.matrix('mixer.in_proj.weight', 2 * C, D, { init: fanIn(D) }),
        ...core.weights(C, make),
        out_DC: make.matrix('mixer.out_proj.weight', D, C, { init: fanIn(C, residualScale) }),
        ...(isBiased
          ? { in_bias_2C: bias('mixer.in_proj.bias', 2 * C), out_bias_D: bias('mixer.out_proj.bias', D) }
          : {}),
      };
    },
    apply: (h_RD, w, shape) => {
      const C = channelsOf(options, shape.hidden);
      const both = linear(h_RD, w.in_2CD, w.in_bias_2C);
      const y_RC = core.apply(slice(both, 1, 0, C), slice(both, 1, C, 2 * C), w, shape);
      return linear(y_RC, w.out_DC, w.out_bias_D);
    },
  };
}

/** What lies between the projections. */
export interface MambaCore {
  readonly weights: (channels: number, make: ParameterMakers) => Readonly<Record<string, Parameter>>;
  /** x_RC and gate z_RC → y_RC. */
  readonly apply: (x_RC: Value, z_RC: Value, weights: Readonly<Record<string, Value>>, shape: SequenceShape) => Value;
}

export function mambaCore(config: MambaConfig): MambaCore {
  const { state_size: N, conv_kernel: k, time_step_rank: P, use_conv_bias: hasShift } = config;
  return {
    weights: (C, make) => ({
      conv_C1k: own('mixer.conv1d.weight', [C, 1, k], fanIn(k), true),
      ...(hasShift ? { conv_bias_C: own('mixer.conv1d.bias', [C], fanIn(k)) } : {}),
      x_XC: make.matrix('mixer.x_proj.weight', P + 2 * N, C, { init: fanIn(C) }),
      dt_CP: make.matrix('mixer.dt_proj.weight', C, P, { init: fanIn(P) }),
      dt_bias_C: own('mixer.dt_proj.bias', [C], inverseSoftplus(stepSizes)),
      A_log_CN: own('mixer.A_log', [C, N], logRange(N)),
      D_C: own('mixer.D', [C], ones),
    }),
    apply: (x_RC, z_RC, w, { batch: B, sequence: T, begins_R: begins }) => {
      const [, C] = x_RC.type.shape.map(Number);
      const inSequences = (rows: Value, width: number): Value => reshape(rows, [B, T, width]);
      const taps_Ck = reshape(w.conv_C1k, [C, k]);
      const shift_C = hasShift ? w.conv_bias_C : scale(w.D_C, 0);
      const conv = causalConv({ x: inSequences(x_RC, C), w: taps_Ck, b: shift_C, begins });
      const conv_RC = reshape(silu(conv), [B * T, C]);
      const made_RX = linear(conv_RC, w.x_XC);
      const delta_RC = softplus(linear(slice(made_RX, 1, 0, P), w.dt_CP, w.dt_bias_C));
      const [b, c] = [P, P + N].map((at) => inSequences(slice(made_RX, 1, at, at + N), N));
      const [u, delta] = [conv_RC, delta_RC].map((rows) => inSequences(rows, C));
      const y = selectiveScan({ u, delta, a: neg(exp(w.A_log_CN)), b, c, d: w.D_C, begins });
      return mul(reshape(y, [B * T, C]), silu(z_RC));
    },
  };
}

/** No matrix between hidden vectors; decays only where told. */
const own = (name: string, shape: readonly number[], init: Init, decays = false): Parameter => ({
  name,
  shape,
  init,
  decays,
  isHidden: false,
});
