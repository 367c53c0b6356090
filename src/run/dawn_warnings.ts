/**
 * What Dawn, the library behind WebGPU, writes to standard error by itself each time that an adapter is looked at, whatever
 * is done with it: two of the adapter's limits are higher than Dawn makes use of. It cannot be told not to, it says nothing
 * about the run, and a node looks at adapters several times. Everything else that it writes is worth reading.
 */
const limitReduced =
  /^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit\.$/;

/** Is the line of a node's output one of those? */
export const isDawnLimitWarning = (line: string): boolean => limitReduced.test(line);
