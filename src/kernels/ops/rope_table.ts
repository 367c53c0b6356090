/** Sines and cosines of a rotary position embedding: a function of position and pair of channels, and the table of one. */
import type { Table } from '../table.ts';
import { ropeFrequencies, type RopeScaling } from './rope_frequencies.ts';

/** What the angles of a rotary embedding follow from. */
export interface Rotation {
  readonly theta: number;
  /** Channels that rotate, an even number. */
  readonly width: number;
  readonly scaling: RopeScaling | undefined;
}

export interface RopeAttributes extends Rotation {
  /** Positions of the table. */
  readonly most: number;
  /** 1 turns forward, −1 back. */
  readonly direction: 1 | -1;
}

/** Of positions in order: [positions, width / 2] each, multiplied by the attention factor, computed in float64. */
export interface Angles {
  readonly cos: Float32Array<ArrayBuffer>;
  readonly sin: Float32Array<ArrayBuffer>;
}

/** Of `count` positions, beginning with `first`. */
export function anglesOf({ theta, width, scaling }: Rotation, count: number, first = 0): Angles {
  const half = width / 2;
  const { frequencies, attentionFactor } = ropeFrequencies(theta, width, scaling);
  const table = (fn: (angle: number) => number) =>
    Float32Array.from(
      { length: count * half },
      (_, at) => attentionFactor * fn((first + Math.floor(at / half)) * frequencies[at % half]),
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** All cosines of positions 0 … count − 1, then their sines. */
export function angleTable(rotation: Rotation, count: number): Table {
  const { theta, width, scaling } = rotation;
  const scaled = scaling === undefined ? '' : `, ${JSON.stringify(scaling)}`;
  return {
    name: `rope, theta ${theta}, ${count} tokens of ${width}${scaled}`,
    length: count * width,
    make: () => {
      const { cos, sin } = anglesOf(rotation, count);
      const all = new Float32Array(count * width);
      all.set(cos);
      all.set(sin, cos.length);
      return all;
    },
  };
}
