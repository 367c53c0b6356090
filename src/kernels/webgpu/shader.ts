/**
 * A pass as a whole WGSL module: its bindings, the live sizes, the functions that it calls from the library below, and its
 * own code. The text is what Dawn compiles, and what `TROUPE_DUMP` writes.
 */
import type { Origin } from './group_plan.ts';
import { liveName, type Pass } from './pass.ts';
import { library } from './wgsl/library.ts';
import { fromOrigins, functionsOfOwner, privateName } from './wgsl/origins.ts';

/** Workgroups along x at most; more go on along y (WebGPU's least limit). */
export const GRID_WIDTH = 65_535;

/** A pass that works for several owners, of whom z of a workgroup says which. */
export interface GroupShader {
  readonly count: number;
  /** Of each binding. */
  readonly origins: readonly Origin[];
}

/** `dims`: names of the program's dynamic dimensions, in the order in which their live sizes lie in the uniform. */
export function shaderText(pass: Pass, dims: readonly string[], group: GroupShader | null = null): string {
  const { bindings, declarations, body, workgroupSize, label, canRefuse, enables } = pass;
  const names = bindings.map(({ name }) => name);
  let count = 0;
  const buffers = bindings.map(
    ({ name, element, isWritten }) =>
      `@group(0) @binding(${count++}) var<storage, ${isWritten ? 'read_write' : 'read'}> ${name}: array<${element}>;`,
  );
  const members = dims.map((dim) => `${liveName(dim)}: u32`);
  const uniform = (name: string, type: string): string =>
    `@group(0) @binding(${count++}) var<uniform> ${name}: ${type};`;
  const tables =
    group === null
      ? dims.length === 0
        ? []
        : [struct('Live', members), uniform('live', 'Live')]
      : [
          struct('Live', [...members, 'first: u32']),
          uniform('lives', `array<Live, ${group.count}>`),
          struct('Place', ['owner: u32', ...placed(pass, group).map((member) => `${member}: u32`)]),
          uniform('place', 'Place'),
          struct(
            'Origin',
            names.map((name) => `${name}: u32`),
          ),
        ];
  const refusal = canRefuse
    ? [
        `@group(0) @binding(${count++}) var<storage, read_write> refusal: array<atomic<u32>>;`,
        'fn refuse(code: u32) { atomicMax(&refusal[0], code); }',
      ]
    : [];
  return [
    `// ${label}`,
    ...enables.map((extension) => `enable ${extension};`),
    ...buffers,
    ...tables,
    ...refusal,
    ...called(`${declarations}\n${body}`),
    ...(group === null ? [] : copied.map(([name, type]) => `var<private> ${privateName(name)}: ${type};`)),
    group === null ? declarations : functionsOfOwner(declarations, names),
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(',
    '  @builtin(workgroup_id) group: vec3<u32>,',
    '  @builtin(num_workgroups) groups: vec3<u32>,',
    '  @builtin(local_invocation_index) lane: u32,',
    ...(enables.includes('subgroups') ? subgroupInputs : []),
    ') {',
    '  let block = group.y * groups.x + group.x;',
    ...(group === null
      ? []
      : [
          '  let live = lives[place.owner + group.z];',
          `  let origin = Origin(${names.map((name, i) => originText(name, group.origins[i])).join(', ')});`,
          ...copied.map(([name]) => `  ${privateName(name)} = ${name};`),
        ]),
    group === null ? body : fromOrigins(body, names),
    '}',
    '',
  ].join('\n');
}

/** What functions beside the entry point see of its constants. */
const copied = [
  ['live', 'Live'],
  ['origin', 'Origin'],
] as const;

const struct = (name: string, members: readonly string[]): string =>
  `struct ${name} { @align(16) ${members.join(', ')} }`;

/** Numbers of the uniform `place` after the first owner's: base and step of each binding that is a tensor of the owners. */
export const placed = ({ bindings }: Pass, { origins }: GroupShader): string[] =>
  bindings.flatMap(({ name }, i) => (origins[i].kind === 'tensor' ? [`${name}_base`, `${name}_step`] : []));

function originText(name: string, origin: Origin): string {
  if (origin.kind === 'rows') return `live.first * ${origin.width}u`;
  if (origin.kind === 'part') return `group.z * ${origin.step}u`;
  return origin.kind === 'shared' ? '0u' : `place.${name}_base + group.z * place.${name}_step`;
}

const subgroupInputs = [
  '  @builtin(subgroup_id) subgroup: u32,',
  '  @builtin(subgroup_invocation_id) subgroup_lane: u32,',
  '  @builtin(subgroup_size) subgroup_size: u32,',
  '  @builtin(num_subgroups) subgroups: u32,',
];

/** The library's functions that `text` calls, and those that they call, in an order that reads. */
function called(text: string): string[] {
  const found = new Set<string>();
  const look = (code: string): void => {
    for (const [name, source] of Object.entries(library)) {
      if (found.has(name) || !code.includes(`${name}(`)) continue;
      found.add(name);
      look(source);
    }
  };
  look(text);
  return Object.entries(library).flatMap(([name, source]) => (found.has(name) ? [source] : []));
}
