/**
 * Every parser of what comes from outside, with the inputs it is fuzzed with: whole ones, damaged a little, and noise.
 * Each property says the same: a value, or an error with a tag.
 */

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { BytesTokenizer } from '../../src/data/index.ts';
import { ANY_ROWS, ChatTemplate, rowOf } from '../../src/data/rows/index.ts';
import { parsed } from '../../src/data/tokenizers/json_file.ts';
import { checkDefinition, cutsOf, tokenizerFile } from '../../src/data/tokenizers/tokenizer_file.ts';
import { decodeManifest, encodeManifest } from '../../src/checkpoints/manifest.ts';
import { decodeHeader, encodeHeader, headerBytes, type TensorEntry } from '../../src/checkpoints/safetensors_header.ts';
import { readLine, type RecordedRun } from '../../src/run/routing_format.ts';
import { HeapFramePool, tagOf } from '../../src/runtime/index.ts';
import { Codec } from '../../src/runtime/transport/codec.ts';
import { LinkCounters } from '../../src/runtime/transport/link_counters.ts';
import { bareChunk, ChunkKind, readChunk } from '../../src/runtime/transport/link_chunk.ts';
import { parseTopology } from '../../src/topology/index.ts';
import { apart, decodeAlone, envelope } from '../runtime/transport/codec_kit.ts';

const quickstart = readFileSync(new URL('../../configs/quickstart.yaml', import.meta.url));

/** The bytes of `whole` with some of them changed, cut out or doubled. */
function damaged(whole: Uint8Array): fc.Arbitrary<Buffer> {
  const at = fc.nat(Math.max(0, whole.length - 1));
  const damage = fc.record({ at, until: at, byte: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'double', 'end') });
  return fc.array(damage, { minLength: 1, maxLength: 4 }).map((damages) => {
    let bytes: Buffer = Buffer.from(whole);
    for (const { at: first, until, byte, kind } of damages) {
      if (kind === 'set' && first < bytes.length) bytes[first] = byte;
      if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, first), bytes.subarray(Math.max(first, until))]);
      if (kind === 'double') bytes = Buffer.concat([bytes.subarray(0, until), bytes.subarray(Math.min(first, until))]);
      if (kind === 'end') bytes = bytes.subarray(0, first);
    }
    return bytes;
  });
}

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const around = (whole: Uint8Array | string): fc.Arbitrary<Buffer> =>
  fc.oneof({ weight: 4, arbitrary: damaged(Buffer.from(whole)) }, noise);
const jsonAround = (whole: unknown): fc.Arbitrary<string> =>
  fc.oneof(
    around(JSON.stringify(whole)).map(String),
    fc.json(),
    shuffledValues(whole).map((v) => JSON.stringify(v)),
  );

const textsOf = (texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer> => texts.map((text) => Buffer.from(text));

/** `whole` with any values in the places of its own. */
function shuffledValues(whole: unknown): fc.Arbitrary<unknown> {
  if (typeof whole !== 'object' || whole === null) return fc.oneof(fc.constant(whole), fc.jsonValue({ maxDepth: 2 }));
  if (Array.isArray(whole)) return fc.tuple(...whole.map(shuffledValues));
  const fields = Object.entries(whole).map(([key, value]) => [key, shuffledValues(value)] as const);
  return fc.oneof(
    { weight: 5, arbitrary: fc.record(Object.fromEntries(fields), { requiredKeys: [] }) },
    fc.jsonValue(),
  );
}

const frame = apart(new Codec(new HeapFramePool()).encode(envelope(), true));
const place = { gen: 1, sequence: 2, base: 0 };
const chunk = bareChunk({ run: 7, incarnation: 3 }, { kind: ChunkKind.acknowledge, ...place });
const fields = {
  ...{ version: 1, runId: 'a', gen: 1, step: 3, updateStep: 3, numericsClass: 'cpu', corpusDigest: 'b' },
  ...{ model: { a: 1 }, topology: {}, extra: null },
  shards: [{ file: 'a.safetensors', sha256: '0'.repeat(64), bytes: 3, tensors: ['a'] }],
};
const manifest = encodeManifest(fields);
const entry: TensorEntry = { name: 'a', dtype: 'F32', shape: [2, 2], begin: 0, end: 16 };
const tensors = encodeHeader([entry], { format: 'pt' });
const header = { __metadata__: { format: 'pt' }, a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] } };
const topology: unknown = JSON.parse(JSON.stringify(parseTopology(String(quickstart), 'quickstart.yaml')));
const line = { kind: 'train', data: '', step: 1, microbatch: 0, crc: 1, choices: 'AAAA' };
const recorded: RecordedRun = {
  ...{ version: 1, run: 'a', model: 'b', corpora: 'c', evaluations: {}, seed: 1 },
  ...{ batch: 2, sequence: 4, microbatches: 1, experts: 4, choices: 1 },
};
const definition = {
  added_tokens: [
    { id: 3, content: '<s>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  post_processor: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] },
};
const bytes = new BytesTokenizer();
const rows = [
  {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', train: true },
    ],
  },
  { prompt: 'a', chosen: 'b', rejected: 'c', chosen_reward: 1.5 },
  { prompt: 'a', response: 'b', helpfulness: 3, coherence: 4 },
  { text: 'a' },
];
const template =
  "{% for m in messages %}{% if loop.first and m['role'] != 'user' %}{{ raise_exception('no') }}{% endif %}" +
  "{{ '<|im_start|>' + m.role + '\\n' + m['content'] | trim }}{% endfor %}{{ messages[1:][::-1] | length }}";

const templated = (chatTemplate: string) => {
  const { name, separatorId, specialTokens, putsAround } = bytes;
  const tokenizer = { name, separatorId, specialTokens, putsAround, chatTemplate, toolTemplate: null };
  const rest = {
    encode: bytes.encode.bind(bytes),
    encodeSpans: bytes.encodeSpans.bind(bytes),
    tokenId: bytes.tokenId.bind(bytes),
  };
  return new ChatTemplate({ ...tokenizer, ...rest });
};

/** One parser and its inputs. */
interface Fuzzed {
  readonly name: string;
  readonly property: fc.IProperty<[Buffer]>;
}

const fuzzed = (name: string, inputs: fc.Arbitrary<Buffer>, parse: (input: Buffer) => unknown): Fuzzed => ({
  name,
  property: fc.property(inputs, (input) => {
    try {
      parse(input);
    } catch (error) {
      if (!isTagged(error)) throw error;
    }
  }),
});

const isTagged = (error: unknown): boolean => error instanceof Error && 'tag' in error && tagOf(error) === error.tag;

export const PARSERS: readonly Fuzzed[] = [
  fuzzed('frames', around(frame), (input) => decodeAlone(new Codec(new HeapFramePool()), Uint8Array.from(input))),
  fuzzed('chunks of a link', around(chunk), (input) => readChunk(input, 7, new LinkCounters())),
  fuzzed('topologies, damaged', around(quickstart), (input) => parseTopology(String(input), 'a.yaml')),
  fuzzed('topologies of any values', textsOf(jsonAround(topology)), (input) => parseTopology(String(input), 'a.yaml')),
  fuzzed('manifests', around(manifest), (input) => decodeManifest(input, 'manifest.json')),
  fuzzed('manifests without a digest', textsOf(jsonAround(fields)), (input) => decodeManifest(input, 'manifest.json')),
  fuzzed('safetensors', around(tensors), (input) => {
    if (input.length < 8) return;
    const length = headerBytes(input.subarray(0, 8), input.length + 16, 'a.safetensors', 'remove it');
    decodeHeader(input.subarray(8, 8 + length), 16, 'a.safetensors', 'remove it');
  }),
  fuzzed('headers of safetensors', textsOf(jsonAround(header)), (input) =>
    decodeHeader(input, 16, 'a.safetensors', 'remove it'),
  ),
  ...rows.map((row) =>
    fuzzed(`rows such as ${Object.keys(row).join(', ')}`, textsOf(jsonAround(row)), (input) =>
      rowOf(String(input), ANY_ROWS, { path: 'a.jsonl', line: 1 }),
    ),
  ),
  fuzzed('chat templates', around(template), (input) => templated(String(input))),
  fuzzed('lines of a routing record', textsOf(jsonAround(line)), (input) => readLine(String(input), recorded)),
  fuzzed('tokenizers', textsOf(jsonAround(definition)), (input) => {
    const read = parsed(tokenizerFile, String(input), 'tokenizer.json', 'a');
    checkDefinition(read, 'tokenizer.json', 'a');
    cutsOf(read);
  }),
];
