/** Two hundred inputs for each parser: it gives a value, or throws an error with a tag. */
import fc from 'fast-check';
import { test } from 'vitest';
import { PARSERS } from './parsers.ts';

test.each(PARSERS)('$name: a value, or an error with a tag, of 200 inputs', ({ property }) => {
  fc.assert(property, { seed: 1, numRuns: 200 });
});
