/**
 * The run port is the joint between the command line and a training run. The command line hands over a resolved
 * topology and a run directory, watches events go by, and aborts through the signal; a run answers with how it ended.
 */
import type { StepMetrics } from '../telemetry/index.ts';
import type { Topology } from '../topology/index.ts';

export interface TrainOptions {
  readonly topology: Topology;
  /** Folder of the topology file: paths and globs in it are relative to this. */
  readonly baseDir: string;
  readonly runDir: string;
  readonly resume: boolean;
  /**
   * SHA-256 of the module of sublayers as the caller has already checked it, null where there is none: with another one the
   * run does not begin. Default: that of the module when the run begins.
   */
  readonly sublayersDigest?: string | null;
  /** Aborted on the first Ctrl-C: write a checkpoint and return `interrupted`. */
  readonly signal: AbortSignal;
  readonly observe: (event: RunEvent) => void;
}

export type RunEvent =
  | {
      readonly kind: 'ready';
      readonly parameters: number;
      readonly activeParameters: number;
      readonly tokensPerStep: number;
      readonly workers: number;
      readonly nodes: number;
    }
  /** A process of the run has been started. */
  | { readonly kind: 'node'; readonly name: string; readonly pid: number }
  | { readonly kind: 'step'; readonly metrics: StepMetrics }
  | {
      readonly kind: 'evaluated';
      readonly step: number;
      /** Of the evaluation; `held_out` for what was held out of the training data. */
      readonly name: string;
      readonly evalLoss: number;
      readonly bitsPerByte: number | null;
      /** Held-out loss of the order-1 baseline. */
      readonly order1Loss: number | null;
    }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly path: string }
  | { readonly kind: 'sample'; readonly prompt: string; readonly text: string }
  | { readonly kind: 'notice'; readonly text: string }
  /** What the run is doing before the first step: `packing corpora`, `compiling programs` ... */
  | { readonly kind: 'phase'; readonly text: string }
  /** How far packing is, several times a second; `totalBytes` is null while nobody knows how many there are. */
  | { readonly kind: 'packing'; readonly doneBytes: number; readonly totalBytes: number | null };

/** Losses are in nats a token and null where nothing was evaluated; `order1Loss` is the order-1 baseline. */
export interface RunOutcome {
  readonly status: 'done' | 'interrupted';
  readonly step: number;
  readonly evalLoss: number | null;
  readonly order1Loss: number | null;
  readonly runDir: string;
}

export interface GenerateOptions {
  readonly checkpointDir: string;
  readonly prompt: string;
  /** Whether the prompt is a turn of the user, put as the chat template writes it: only the answer is written. Default: no. */
  readonly isChat?: boolean;
  readonly maxTokens: number;
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  readonly seed: number;
  /** Whether a module that the checkpoint names may run; default: no. */
  readonly allowCode?: boolean;
  readonly write: (text: string) => void;
  /** Told in one line of what is passed over. */
  readonly notice: (text: string) => void;
}
