/**
 * A resolved topology as YAML again, every key present: the `config.yaml` of a run directory. Parsing it gives the same
 * topology; its relative paths and globs can be rewritten, so that it means the same from another folder.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { type Topology, topologySchema } from './schema.ts';

/** Plain values of a topology, sizes with their units: what JSON and YAML can hold. */
export function toPlain(topology: Topology): z.input<typeof topologySchema> {
  return z.encode(topologySchema, topology);
}

/** A topology as the text of a YAML file. */
export function dumpTopology(topology: Topology): string {
  return stringify(toPlain(topology), { lineWidth: 120, flowCollectionPadding: true });
}

/** The same topology for a file in the folder `to` instead of `from`, both absolute. */
export function rebaseTopology(topology: Topology, from: string, to: string): Topology {
  const move = (path: string): string =>
    isAbsolute(path) ? path : relative(to, join(from, path)).split(sep).join('/') || '.';
  const moveHf = (word: string): string =>
    word.startsWith('hf:') ? `hf:${move(word.slice('hf:'.length))}` : move(word);
  const moveAll = (paths: string | string[]): string | string[] =>
    typeof paths === 'string' ? move(paths) : paths.map(move);
  const moveBlend = (blend: Topology['data']['blend']): Topology['data']['blend'] =>
    blend.map((corpus) => ({
      ...corpus,
      glob: moveAll(corpus.glob),
      ...(corpus.exclude === undefined ? {} : { exclude: moveAll(corpus.exclude) }),
    }));
  const { tokenizer, blend, rows, cache_dir } = topology.data;
  const { moe } = topology;
  const { nats } = topology.cluster;
  const { sublayers } = topology.model;
  const tokenFile = nats.token_file === undefined ? {} : { token_file: move(nats.token_file) };
  return {
    ...topology,
    from: topology.from === null ? null : moveHf(topology.from),
    cluster: { ...topology.cluster, nats: { ...nats, ...tokenFile } },
    model: { ...topology.model, sublayers: sublayers === null ? null : move(sublayers) },
    ...(moe === undefined ? {} : { moe: { ...moe, replay: moe.replay === null ? null : move(moe.replay) } }),
    data: {
      ...topology.data,
      tokenizer: tokenizer === 'bytes' ? tokenizer : moveHf(tokenizer),
      cache_dir: move(cache_dir),
      ...(rows === undefined ? {} : { rows: moveAll(rows) }),
      // Rows stand in its place, and it is as a file without one has it.
      blend: rows === undefined ? moveBlend(blend) : blend,
    },
    evaluations: topology.evaluations.map((evaluation) => {
      const { blend: own, rows: ownRows } = evaluation.data;
      return {
        ...evaluation,
        data: {
          ...(own === undefined ? {} : { blend: moveBlend(own) }),
          ...(ownRows === undefined ? {} : { rows: moveAll(ownRows) }),
        },
      };
    }),
  };
}
