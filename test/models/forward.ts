/** A model's programs, chained by the plain reference of each op: what the actors do, without actors. */
import { admit } from '../../src/actors/mixture/admission.ts';
import { allocate, floats, ints, type Data } from '../../src/kernels/dtype.ts';
import { typeOf } from '../../src/kernels/program.ts';
import { runReference } from '../../src/kernels/reference.ts';
import { layersOf, mixturesOf, type Mixture, type Model, type Weights } from '../../src/models/model.ts';
import { choicesOf } from '../../src/topology/index.ts';

/** Values of parameters by name. */
export type Values = Readonly<Record<string, Data>>;

export const bound = (weights: Weights, values: Values): Values =>
  Object.fromEntries(Object.entries(weights).map(([input, { name }]) => [input, values[name]]));

/** What a mixture decided about the rows of a microbatch. */
export interface Decided {
  readonly logits_RE: Float32Array;
  /** Chosen experts of each row, best first. */
  readonly choices_RP: Int32Array;
  readonly gates_RK: Float32Array;
}

export interface ForwardOptions {
  /** Slots of an expert; default: as many as there are rows. */
  readonly capacity?: number;
  readonly decided?: (mixture: Mixture, decided: Decided) => void;
}

/** moe_RO by the programs of a mixture, with the decision between them. */
function mix(mixture: Mixture, h_RD: Data, values: Values, { capacity, decided }: ForwardOptions): Data {
  const { programs, moe } = mixture;
  const experts = moe.num_experts;
  const [, D] = typeOf(programs.dispatch, 'h_RD').shape.map(Number);
  const [, O] = typeOf(programs.expert, 'outputs_SD').shape.map(Number);
  const tokens = h_RD.length / D;
  const { logits_RE } = runReference(programs.score, { h_RD, ...bound(mixture.router, values) }, { tokens });
  const chosen = runReference(programs.choose, { logits_RE }, { tokens });
  const [choices_RP, scores_RP] = [ints('choices', chosen.choices_RP), floats('scores', chosen.scores_RP)];
  const routing = admit(
    { choices_RP, scores_RP, live_R: null },
    {
      experts,
      topK: moe.top_k,
      choices: choicesOf(moe),
      size: tokens,
      slots: capacity ?? tokens,
      order: 'position',
    },
  );
  const { order_S, slots_RK, kept_E, experts_RK: taken_RK } = routing;
  const balance = {
    live_R1: new Float32Array(tokens).fill(1),
    load_GE: new Float32Array(experts),
    z_weight_1: new Float32Array(1),
  };
  const { gates_RK } = runReference(programs.gates, { logits_RE, taken_RK, ...balance }, { tokens });
  decided?.(mixture, { logits_RE: floats('logits', logits_RE), choices_RP, gates_RK: floats('gates', gates_RK) });
  const slots = order_S.length;
  const { rows_SD } = runReference(programs.dispatch, { h_RD, order_S }, { tokens, slots });
  const outputs_SD = allocate('f32', slots * O);
  for (let e = 0, at = 0; e < experts; at += kept_E[e], e++) {
    const rows = rows_SD.subarray(at * D, (at + kept_E[e]) * D);
    const weights = bound(mixture.expert(e), values);
    const made = runReference(programs.expert, { rows_SD: rows, ...weights }, { rows: kept_E[e] });
    outputs_SD.set(made.outputs_SD, at * O);
  }
  return runReference(programs.combine, { outputs_SD, gates_RK, slots_RK }, { tokens, slots }).moe_RD;
}

/** Takes a microbatch through all steps of a model that is traced without a dispatch in bf16: every stream by its name. */
export function forward(
  model: Model,
  values: Values,
  batch: Values,
  options: ForwardOptions = {},
): Record<string, Data> {
  const mixtures = new Map(mixturesOf(model).map((mixture) => [mixture.id, mixture]));
  const streams: Record<string, Data> = { ...batch };
  for (const step of layersOf(model).flatMap(({ steps }) => steps)) {
    if (step.kind === 'hand') {
      streams[step.takes] = mix(mixtures.get(step.to)!, streams[step.gives], values, options);
      continue;
    }
    const reads = Object.fromEntries(Object.entries(step.reads).map(([name, stream]) => [name, streams[stream]]));
    const outputs = runReference(step.program, { ...reads, ...bound(step.weights, values) });
    for (const [name, stream] of Object.entries(step.writes)) streams[stream] = outputs[name];
  }
  return streams;
}

/** Logits of the token that follows row `at`, of x_RD behind the last layer. */
export function logitsAt({ logits }: Model, values: Values, x_RD: Data, at: number): Float32Array {
  const { program, weights } = logits!;
  const { logits_2V } = runReference(program, { x_RD, position_2: Int32Array.of(at, at), ...bound(weights, values) });
  return floats('logits', logits_2V).subarray(0, logits_2V.length / 2);
}
