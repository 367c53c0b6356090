/** Which lines of a node's output are left out where it is shown: those of Dawn about two limits, and no others. */
import { expect, test } from 'vitest';
import { isDawnLimitWarning } from '../../src/run/dawn_warnings.ts';

const reduced = 'artificially reduced from 1000000 to 16 to fit dynamic offset allocation limit.';

test.each([
  [`Warning: maxDynamicUniformBuffersPerPipelineLayout ${reduced}`, true],
  [`Warning: maxDynamicStorageBuffersPerPipelineLayout ${reduced}`, true],
  [`Warning: maxBindGroups ${reduced}`, false],
  [`Error: maxDynamicUniformBuffersPerPipelineLayout ${reduced}`, false],
  [`Warning: maxDynamicUniformBuffersPerPipelineLayout ${reduced} And more`, false],
  ['Warning: vkCreateInstance: Found no drivers!', false],
  ['', false],
])('%s: %s', (line, isLeftOut) => {
  expect(isDawnLimitWarning(line)).toBe(isLeftOut);
});
