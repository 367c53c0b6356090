/** What the selective scan and its gradient share: the step of one state, and the loops of their generated code. */
import type { Arithmetic } from '../arithmetic.ts';
import type { Local } from '../cpu/wasm/function.ts';
import { i32, type I32, type V128 } from '../cpu/wasm/instructions.ts';
import type { Kernel, WasmOperand } from '../cpu/wasm/kernel.ts';
import { exp } from '../elementary.ts';
import { SUM_LANES } from '../lane_sum.ts';
import type { Dim, Shape } from '../shape.ts';
import { emitIsBegin } from './sample_begins.ts';

/** Tokens between two states that are kept. */
export const SCAN_CHUNK = 32;

/** Which operands the scan has beside its six. */
export interface ScanAttributes {
  readonly hasState: boolean;
  readonly hasBegins: boolean;
}

export interface ScanGradientAttributes extends ScanAttributes {
  /** Whether somebody reads y, and whether somebody reads the last state. */
  readonly hasDy: boolean;
  readonly hasDLast: boolean;
}

/** exp(Δ A). */
export const decay = <T>(f: Arithmetic<T>, delta: T, a: T): T => exp(f, f.mul(delta, a));

/** decay · h + (Δ u) B. */
export const nextState = <T>(f: Arithmetic<T>, factor: T, h: T, delta: T, u: T, b: T): T =>
  f.add(f.mul(factor, h), f.mul(f.mul(delta, u), b));

/** A channel of a sequence. */
interface Channel {
  readonly channel: I32;
  /** Where its states begin in [C, N]. */
  readonly states: I32;
}

/** Some tokens of a channel. */
interface Chunk {
  readonly first: I32;
  readonly end: I32;
  /** Where the state at its beginning lies in [B, chunks, C, N]. */
  readonly kept: I32;
}

export class ScanLoops {
  /** Byte offsets of the vectors that the states of a channel are made of. */
  readonly vectors: readonly number[];
  private readonly kernel: Kernel;
  private readonly batch: Dim;
  private readonly tokens: number;
  private readonly channelCount: number;
  private readonly states: number;
  private sequence: I32 = i32.const(0);
  private channel: I32 = i32.const(0);

  private constructor(kernel: Kernel, [batch, tokens, channels]: Shape, states: number) {
    this.kernel = kernel;
    this.batch = batch;
    this.tokens = Number(tokens);
    this.channelCount = Number(channels);
    this.states = states;
    this.vectors = Array.from({ length: states / 4 }, (_, i) => 16 * i);
  }

  /** Null for numbers of states that are no whole vectors, or more than a row's sum has lanes. */
  static over(kernel: Kernel, u: Shape, a: Shape): ScanLoops | null {
    const states = Number(a[1]);
    return states % 4 === 0 && states > 0 && states <= SUM_LANES ? new ScanLoops(kernel, u, states) : null;
  }

  /** For every channel of every sequence. */
  channels(body: (channel: Channel) => void): void {
    const { fn } = this.kernel;
    fn.loop(i32.const(0), this.kernel.size(this.batch), 1, (sequence) => {
      this.sequence = sequence;
      fn.loop(i32.const(0), i32.const(this.channelCount), 1, (channel) => {
        this.channel = channel;
        body({ channel, states: fn.let(i32.mul(channel, i32.const(4 * this.states))) });
      });
    });
  }

  /** For every chunk of the channel, from the first or from the last. */
  chunks(body: (chunk: Chunk) => void, order: 'forward' | 'backward' = 'forward'): void {
    const { fn } = this.kernel;
    const count = Math.ceil(this.tokens / SCAN_CHUNK);
    fn.loop(i32.const(0), i32.const(count), 1, (i) => {
      const chunk = order === 'forward' ? i : fn.let(i32.sub(i32.const(count - 1), i));
      const first = fn.let(i32.mul(chunk, i32.const(SCAN_CHUNK)));
      const all = i32.const(this.tokens);
      const after = fn.let(i32.add(first, i32.const(SCAN_CHUNK)));
      const end = fn.let(i32.select(after, all, i32.ltU(after, all)));
      const row = i32.add(i32.mul(this.sequence, i32.const(count)), chunk);
      const place = i32.add(i32.mul(row, i32.const(this.channelCount)), this.channel);
      body({ first, end, kept: fn.let(i32.mul(place, i32.const(4 * this.states))) });
    });
  }

  /** Where the channel's states lie in [B, C, N]. */
  ofSequence(): I32 {
    const place = i32.add(i32.mul(this.sequence, i32.const(this.channelCount)), this.channel);
    return this.kernel.fn.let(i32.mul(place, i32.const(4 * this.states)));
  }

  /** Sets `vectors` to zero if a sample begins at token `t`. */
  clearAtBegin(begins: WasmOperand, t: I32, vectors: readonly Local<'v128'>[]): void {
    const { fn, f } = this.kernel;
    const row = i32.add(i32.mul(this.sequence, i32.const(this.tokens)), t);
    fn.if(emitIsBegin(this.kernel, begins, row, t), () => vectors.forEach((vector) => fn.set(vector, f.constant(0))));
  }

  /** Where token `t` of the channel lies in [B, T, C], and its row in [B, T, N]. */
  token(t: I32): { readonly at: I32; readonly row: I32 } {
    const { fn } = this.kernel;
    const token = fn.let(i32.add(i32.mul(this.sequence, i32.const(this.tokens)), t));
    return {
      at: this.kernel.elementAt(i32.add(i32.mul(token, i32.const(this.channelCount)), this.channel)),
      row: fn.let(i32.mul(token, i32.const(4 * this.states))),
    };
  }

  /** `laneSum` over the states, of which there are no more than lanes. */
  sumOf(terms: readonly V128[]): V128 {
    const { f } = this.kernel;
    const nothing = f.constant(0);
    // Every partial sum begins at +0.
    const lanes = Array.from({ length: SUM_LANES / 4 }, (_, i) =>
      i < terms.length ? f.add(nothing, terms[i]) : nothing,
    );
    return this.kernel.folded(lanes, (a, b) => f.add(a, b));
  }
}
