/**
 * Progress of a run: turns its events into lines. `linesOf` says what an event reads like; `Progress` decides what is
 * shown, which on a terminal is every step in place, and elsewhere the first step, every tenth, the last, and one each half
 * minute where steps take long.
 */
import { styleText } from 'node:util';
import type { RunEvent } from '../run/run_port.ts';
import { visibleText } from '../visible_text.ts';
import { count, plural } from './figures.ts';
import { Pace } from './pace.ts';
import type { Screen } from './screen.ts';

const plainInterval = 10;
const plainIntervalMs = 30_000;

/** Where there is no live line, how often a long packing is told. */
const packingIntervalMs = 10_000;

export interface ProgressOptions {
  readonly screen: Screen;
  readonly totalSteps: number;
  /** Milliseconds of any clock that only goes forward. */
  readonly nowMs: () => number;
}

export class Progress {
  readonly #screen: Screen;
  readonly #totalSteps: number;
  readonly #nowMs: () => number;
  readonly #pace: Pace;
  /** When a step was last told of where there is no live line. */
  #toldMs: number | null = null;
  #packingToldMs: number | null = null;

  constructor({ screen, totalSteps, nowMs }: ProgressOptions) {
    this.#screen = screen;
    this.#totalSteps = totalSteps;
    this.#nowMs = nowMs;
    this.#pace = new Pace(totalSteps);
  }

  observe(event: RunEvent): void {
    if (event.kind === 'step') {
      this.#step(event.metrics.step, () => this.#pace.add(event.metrics, this.#nowMs()));
    } else if (event.kind === 'packing') {
      this.#packing(event);
    } else if (event.kind === 'node') {
      // In events.jsonl; a screen has no use for it.
    } else if (event.kind === 'phase' && this.#screen.isLive) {
      this.#screen.draw(dim(event.text));
    } else {
      const shown = event.kind === 'sample' && this.#screen.isLive ? visibleSample(event) : event;
      for (const line of linesOf(shown)) this.#screen.print(line);
      if (this.#pace.line !== '') this.#screen.draw(this.#pace.line);
    }
  }

  end(): void {
    this.#screen.end();
  }

  #packing({ doneBytes, totalBytes }: Extract<RunEvent, { kind: 'packing' }>): void {
    const what = totalBytes === null ? 'reading corpora' : 'packing corpora';
    const of = totalBytes === null ? '' : ` of ${wholeMebibytes(totalBytes)}`;
    const line = dim(`${what}: ${wholeMebibytes(doneBytes)}${of}`);
    if (this.#screen.isLive) return this.#screen.draw(line);
    const nowMs = this.#nowMs();
    this.#packingToldMs ??= nowMs;
    if (nowMs - this.#packingToldMs < packingIntervalMs) return;
    this.#packingToldMs = nowMs;
    this.#screen.print(line);
  }

  #step(step: number, record: () => void): void {
    record();
    if (this.#screen.isLive) return this.#screen.draw(this.#pace.line);
    const nowMs = this.#nowMs();
    const isDue = this.#toldMs === null || nowMs - this.#toldMs >= plainIntervalMs;
    if (!isDue && step % plainInterval !== 0 && step !== this.#totalSteps) return;
    this.#toldMs = nowMs;
    this.#screen.print(this.#pace.line);
  }
}

/** What an event other than a step reads like. Losses are nats a token, or squares of attributes. */
export function linesOf(event: Exclude<RunEvent, { kind: 'step' | 'node' | 'packing' }>): string[] {
  switch (event.kind) {
    case 'ready': {
      const { parameters, activeParameters, tokensPerStep, workers, nodes } = event;
      const size = `${count(parameters)} parameters, ${count(activeParameters, parameters)} active`;
      return [`${size}; ${tokensPerStep} tokens a step; ${plural(workers, 'worker')} on ${plural(nodes, 'node')}`];
    }
    case 'evaluated': {
      const baseline = event.order1Loss === null ? '' : ` (order-1 model: ${event.order1Loss.toFixed(3)})`;
      const name = event.name === 'held_out' ? 'held-out' : event.name;
      return [`step ${event.step}: ${name} loss ${event.evalLoss.toFixed(3)}${baseline}`];
    }
    case 'checkpoint':
      return [dim(`step ${event.step}: checkpoint ${event.path}`)];
    case 'sample':
      return [`sample: ${bold(event.prompt)}${event.text}`];
    case 'notice':
      // It may quote a file of somebody else.
      return [visibleText(event.text)];
    case 'phase':
      return [dim(event.text)];
  }
}

const visibleSample = (sample: Extract<RunEvent, { kind: 'sample' }>): typeof sample => ({
  ...sample,
  prompt: visibleText(sample.prompt),
  text: visibleText(sample.text),
});

const wholeMebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

// Plain text where the output is no terminal, or where NO_COLOR is set.
const dim = (text: string): string => styleText('dim', text);
const bold = (text: string): string => styleText('bold', text);
