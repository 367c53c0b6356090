/**
 * How a command tells that it has ended. One that was for nothing but its output (a plan, a generated text) has failed where
 * output was lost; one that leaves files (a run) has not.
 */
export type Product = 'output' | 'files';

export type Finish = (exitCode: number, product: Product) => void;
