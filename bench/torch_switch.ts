/**
 * The PyTorch peers of the 10.7 M Switch model as processes of their own: `peers/torch_switch.py` in one, and
 * `peers/torch_switch_ddp.py` in two that sum their gradients over gloo. `PYTHON` names a python3 that has torch; a setting
 * says with how many threads it computes, and for a torch that computes by OpenBLAS with which kernels of that.
 */
import type { Reached } from './switch_run.ts';
import { LEFT_OUT, playTorch, type TorchPlayed } from './torch_peer.ts';

/** Measured steps of a try. */
const TRIED = 8;

export interface TorchSetting {
  /** Torch's own threads, which are also those of an MKL in it. */
  readonly threads: number;
  /** Null where torch computes by another library, to which OpenBLAS's settings mean nothing. */
  readonly openBlas: { readonly core: 'own choice' | 'Haswell' | 'SkylakeX'; readonly threads: number } | null;
}

/** What a try of a setting found. */
export interface TorchTry {
  readonly setting: TorchSetting;
  readonly tokensPerSecond: number;
}

export interface TorchTries {
  /** Torch's version, its BLAS, and the size of the model. */
  readonly peer: string;
  readonly tries: readonly TorchTry[];
}

const byMkl: readonly TorchSetting[] = [2, 1].map((threads) => ({ threads, openBlas: null }));
const byOpenBlas: readonly TorchSetting[] = (['own choice', 'Haswell', 'SkylakeX'] as const).flatMap((core) =>
  [1, 2].flatMap((threads) => [1, 2].map((own) => ({ threads: own, openBlas: { core, threads } }))),
);

export const nameOf = ({ threads, openBlas }: TorchSetting): string => {
  const own = threads === 1 ? '1 thread' : `${threads} threads`;
  return openBlas === null ? own : `${own} of its own, OpenBLAS ${openBlas.core} with ${openBlas.threads}`;
};

/** Whether no more than one thread computes. */
export const isAlone = ({ threads, openBlas }: TorchSetting): boolean =>
  threads === 1 && (openBlas?.threads ?? 1) === 1;

/** A few steps with each setting that means something to the torch of `PYTHON`. */
export async function tryTorch(): Promise<TorchTries> {
  const first = await train(byMkl[0], TRIED);
  const found: TorchTry[] = [];
  const isMkl = first.blas === 'mkl';
  for (const setting of isMkl ? byMkl : byOpenBlas) {
    const { tokens_per_s } = setting === byMkl[0] ? first : await train(setting, TRIED);
    found.push({ setting, tokensPerSecond: tokens_per_s });
  }
  return { peer: `${first.peer} (BLAS: ${first.blas}), ${(first.params / 1e6).toFixed(1)} M parameters`, tries: found };
}

/** The setting that was fastest. */
export const bestOf = (tries: readonly TorchTry[]): TorchSetting =>
  tries.reduce((a, b) => (b.tokensPerSecond > a.tokensPerSecond ? b : a)).setting;

/** `steps` measured steps in one process. */
export async function torchInOne(setting: TorchSetting, steps: number): Promise<Reached> {
  return reached(await train(setting, steps));
}

/** `steps` measured steps of the same batch in two processes, each of which computes with `setting`. */
export async function torchInTwo(setting: TorchSetting, steps: number): Promise<Reached> {
  return reached(await play('torch_switch_ddp.py', ['--procs', '2'], setting, steps));
}

const train = (setting: TorchSetting, steps: number): Promise<TorchPlayed> =>
  play('torch_switch.py', ['--threads', String(setting.threads)], setting, steps);

const reached = ({ tokens_per_s: tokensPerSecond, cpu_per_wall: cpuPerWall, peakMiB }: TorchPlayed): Reached => ({
  tokensPerSecond,
  cpuPerWall,
  peakMiB,
});

function play(
  script: string,
  ownArgs: readonly string[],
  { openBlas }: TorchSetting,
  steps: number,
): Promise<TorchPlayed> {
  const { core = 'own choice', threads = null } = openBlas ?? {};
  return playTorch(script, {
    args: ['--vocab', '256', '--steps', String(steps + LEFT_OUT), ...ownArgs],
    env: {
      ...(threads === null ? {} : { OPENBLAS_NUM_THREADS: String(threads) }),
      ...(core === 'own choice' ? {} : { OPENBLAS_CORETYPE: core }),
    },
  });
}
