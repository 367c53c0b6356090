/**
 * Dawn, the library behind WebGPU, warns on standard error each time that an adapter is looked at, whatever is done
 * with it: two of the adapter's limits are higher than Dawn makes use of. It cannot be told not to, the warning says
 * nothing about the run, and a node looks at adapters several times. Everything else that Dawn writes is worth reading.
 */
const limitReduced =
  /^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit\.$/;

/** Whether a line of a node's output is one of these warnings. */
export const isDawnLimitWarning = (line: string): boolean => limitReduced.test(line);
