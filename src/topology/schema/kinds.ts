/**
 * The kinds of value that a key of the topology file may hold. A kind fixes the range; error messages and the reference
 * read it back from the schema, so nothing about a key is written twice. What a later version will take is named in
 * `later` (a sentence) and `laterValues`, so that a refusal can say so.
 */
import { z } from 'zod';
import { formatBytes, parseBytes } from '../byte_size.ts';
import { lostInFp32, type Fp32Use } from '../fp32.ts';

/** The most that a number may be, and why. */
export interface Limit {
  readonly most: number;
  /** In words that follow the limit, in brackets. */
  readonly because: string;
}

/** A whole number, `least` or more, and not above the limit. */
export const whole = (least: number, limit?: Limit) =>
  limit === undefined ? z.int().min(least) : z.int().min(least).max(limit.most).meta({ because: limit.because });

/** Longest time in ms that a timer of Node.js can be set for; with a longer one it fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** A number that is computed with in fp32: what is rounded away there is refused. */
const inFp32 = <T extends z.ZodNumber>(number: T, use: Fp32Use): T =>
  number.refine((value) => lostInFp32(use, value) === null).meta({ fp32: use });

/** A whole power of two: what multiplies by one changes no digit. */
export const powerOfTwo = () =>
  whole(1)
    .refine((value) => value === 2 ** Math.round(Math.log2(value)))
    .meta({ allowed: 'a power of two, 1 or more' });

/** A number above 0, as exact as a double is. */
export const positive = () => z.number().gt(0);

/** A number, 0 or more, as exact as a double is. */
export const notNegative = () => z.number().min(0);

/** A number, 0 or more, in fp32. */
export const notNegative32 = () => inFp32(z.number().min(0), 'number');

/** A number above 0, in fp32. */
export const positive32 = () => inFp32(z.number().gt(0), 'number');

/** A number in fp32, 0 or more and less than 1: a decay, or a spread around 1. */
export const fraction32 = (use: Fp32Use) => inFp32(z.number().min(0).lt(1), use);

/** One of the values that this version runs; `later` are known to the design and refused with that reason. */
export const choice = <const T extends readonly string[]>(now: T, later: readonly string[] = []) =>
  z.enum(now).meta({ laterValues: later });

/** A number of which this version runs only 1; `later` says what will come. */
export const onlyOne = (later: string) => z.literal(1).meta({ later });

/** A share of a blend: a number above 0 among others, or a percentage of all. */
export const weight = () =>
  z
    .union([positive(), z.string().regex(/^(?!0*\.?0*%)\d+(\.\d+)?%$/)])
    .meta({ allowed: 'a number above 0, or a percentage such as 70%' });

/** Bytes: a whole number, or a size with a unit such as `2GiB`. Held as a number, dumped with its unit. */
export const byteSize = () =>
  z
    .codec(z.union([z.int(), z.string()]), z.int().min(1), {
      decode: (value, context) => {
        const bytes = parseBytes(String(value));
        if (bytes !== null) return bytes;
        context.issues.push({ code: 'custom', message: 'not a size', input: value });
        return z.NEVER;
      },
      encode: formatBytes,
    })
    .meta({ allowed: 'a size such as 256KiB, 512MiB or 2GiB' });

/** One glob or a list of them. */
export const globs = () =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .meta({ allowed: 'a glob such as "texts/**/*.md", or a list of globs' });
