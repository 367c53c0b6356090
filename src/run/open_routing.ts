/**
 * A routing source says where a run keeps its choices and where it takes them from, as plain data that crosses a thread. Every
 * worker opens what its routers need: a file of its own for each to write, and the places of recorded choices, once a mixture.
 */
import { z } from 'zod';
import type { ChoiceLog, RoutingPort } from '../actors/mixture/choice_log.ts';
import { RecordedChoices } from './recorded_choices.ts';
import { isOnRecord, recordedRunSchema, recordPath } from './routing_format.ts';
import { RoutingRecorder } from './routing_recorder.ts';

export const routingSourceSchema = z.object({
  /** What this run's own record says that it is of, and a record that it takes has to say too. */
  run: recordedRunSchema,
  /** Folders; null: none. */
  record: z.string().nullable(),
  replay: z.string().nullable(),
});
export type RoutingSource = z.infer<typeof routingSourceSchema>;

export function openRouting({ run, record, replay }: RoutingSource): RoutingPort {
  const opened = new Map<string, Promise<RecordedChoices>>();
  const choicesOf = (folder: string, mixture: string): Promise<RecordedChoices> => {
    const known = opened.get(mixture) ?? RecordedChoices.open(folder, { ...run, mixture });
    opened.set(mixture, known);
    return known;
  };
  return {
    open: async (mixture, dataRank): Promise<ChoiceLog> => {
      const choices = replay === null ? null : await choicesOf(replay, mixture);
      const recorder =
        record === null ? null : new RoutingRecorder(recordPath(record, mixture, dataRank), { ...run, mixture });
      return {
        recorded: async (unit) => (choices === null || !isOnRecord(unit) ? null : await choices.read(unit)),
        note: (unit, choices_RP) => recorder?.note(unit, choices_RP),
        flush: () => recorder?.flush() ?? null,
        drop: () => recorder?.drop(),
        rewind: (dataStep) => recorder?.rewind(dataStep),
        close: () => recorder?.close(),
      };
    },
  };
}

/** What `hostRoles` is given of it. */
export const routingOf = (source: RoutingSource | null): { readonly routing?: RoutingPort } =>
  source === null ? {} : { routing: openRouting(source) };
