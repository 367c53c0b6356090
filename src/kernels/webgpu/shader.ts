/**
 * A pass as a whole WGSL module: its bindings, the live sizes, the functions that it calls from the library below, and its
 * own code. The text is what Dawn compiles, and what `TROUPE_DUMP` writes.
 */
import { liveName, type Pass } from './pass.ts';
import { library } from './wgsl/library.ts';
import { fromOrigins, functionsOfCopy, privateName } from './wgsl/origins.ts';

/** Workgroups along x at most; more go on along y (WebGPU's least limit). */
export const GRID_WIDTH = 65_535;

/**
 * `dims`: names of the program's dynamic dimensions, in the order in which their live sizes lie in the uniform. Of several
 * `copies` side by side, z of a workgroup says which it works for.
 */
export function shaderText(pass: Pass, dims: readonly string[], copies = 1): string {
  const { bindings, declarations, body, workgroupSize, label, canRefuse, enables } = pass;
  const names = bindings.map(({ name }) => name);
  const isBeside = copies > 1;
  let count = 0;
  const buffers = bindings.map(
    ({ name, element, isWritten }) =>
      `@group(0) @binding(${count++}) var<storage, ${isWritten ? 'read_write' : 'read'}> ${name}: array<${element}>;`,
  );
  const uniforms = [
    ...(dims.length === 0 ? [] : [{ name: 'live', type: 'Live', members: dims.map(liveName) }]),
    ...(isBeside ? [{ name: 'origin', type: 'Origin', members: names }] : []),
  ];
  const tables = uniforms.flatMap(({ name, type, members }) => [
    `struct ${type} { @align(16) ${members.map((member) => `${member}: u32`).join(', ')} }`,
    isBeside
      ? `@group(0) @binding(${count++}) var<uniform> ${name}s: array<${type}, ${copies}>;`
      : `@group(0) @binding(${count++}) var<uniform> ${name}: ${type};`,
  ]);
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
    ...(isBeside ? uniforms.map(({ name, type }) => `var<private> ${privateName(name)}: ${type};`) : []),
    isBeside ? functionsOfCopy(declarations, names) : declarations,
    `@compute @workgroup_size(${workgroupSize})`,
    'fn main(',
    '  @builtin(workgroup_id) group: vec3<u32>,',
    '  @builtin(num_workgroups) groups: vec3<u32>,',
    '  @builtin(local_invocation_index) lane: u32,',
    ...(enables.includes('subgroups') ? subgroupInputs : []),
    ') {',
    '  let block = group.y * groups.x + group.x;',
    ...(isBeside
      ? uniforms.flatMap(({ name }) => [`  let ${name} = ${name}s[group.z];`, `  ${privateName(name)} = ${name};`])
      : []),
    isBeside ? fromOrigins(body, names) : body,
    '}',
    '',
  ].join('\n');
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
