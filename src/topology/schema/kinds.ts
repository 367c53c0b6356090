/**
 * The kinds of value that a key of the topology file may hold. A kind fixes the range; error messages and the reference
 * read it back from the schema, so nothing about a key is written twice. What a later version will take is named in
 * `later` (a sentence) and `laterValues`, so that a refusal can say so.
 */
import { z } from 'zod';
import { formatBytes, parseBytes } from '../byte_size.ts';

/** A whole number, `least` or more. */
export const whole = (least: number) => z.int().min(least);

/** A whole power of two: what multiplies by one changes no digit. */
export const powerOfTwo = () =>
  whole(1)
    .refine((value) => value === 2 ** Math.round(Math.log2(value)))
    .meta({ allowed: 'a power of two, 1 or more' });

/** A number, 0 or more. */
export const notNegative = () => z.number().min(0);

/** A number above 0. */
export const positive = () => z.number().gt(0);

/** A number, 0 or more and less than 1. */
export const fraction = () => z.number().min(0).lt(1);

/** One of the values that this version runs; `later` are known to the design and refused with that reason. */
export const choice = <const T extends readonly string[]>(now: T, later: readonly string[] = []) =>
  z.enum(now).meta({ laterValues: later });

/** A number of which this version runs only 1; `later` says what will come. */
export const onlyOne = (later: string) => z.literal(1).meta({ later });

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
