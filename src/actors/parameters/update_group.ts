/**
 * An update group holds the parameters of one role that the same rule updates with the same decay: their values, and what the
 * rule keeps of them, in flat arenas of the role's slice, and the rule's programs over these.
 */
import type { Device, Executable, FlatArena, Slice, Tensor } from '../../kernels/device.ts';
import type { Parameter } from '../../models/parameter.ts';
import type { Grouping } from './rules.ts';
import type { UpdateRule } from './update_rule.ts';

/** A program, and what of each arena it runs over: the view of a parameter, or all of it. */
interface Update {
  readonly executable: Executable;
  readonly part: (arena: FlatArena) => Tensor;
}

export class UpdateGroup {
  readonly rule: UpdateRule;
  readonly parameters: readonly Parameter[];
  readonly values: FlatArena;
  private readonly slice: Slice;
  /** By the rule's names of them. */
  private readonly states: Readonly<Record<string, FlatArena>>;
  private readonly updates: readonly Update[];

  private constructor(
    slice: Slice,
    { rule, parameters }: Grouping,
    memory: Pick<UpdateGroup, 'values'> & { states: Readonly<Record<string, FlatArena>>; updates: readonly Update[] },
  ) {
    this.slice = slice;
    this.rule = rule;
    this.parameters = parameters;
    this.values = memory.values;
    this.states = memory.states;
    this.updates = memory.updates;
  }

  /** Takes the memory from `slice`; values are 0 until they are written. Throws `OutOfSliceMemory`. */
  static async create(device: Device, slice: Slice, grouping: Grouping): Promise<UpdateGroup> {
    const { rule, decays, parameters } = grouping;
    const shapes = shapesOf(parameters);
    const values = slice.arena('parameters', shapes);
    const states = Object.fromEntries(rule.states.map((state) => [state, slice.arena('moments', shapes)]));
    const parts: Update['part'][] =
      rule.covers === 'arena'
        ? [({ flat }) => flat]
        : parameters.map(
            ({ name }) =>
              ({ views }) =>
                views[name],
          );
    const updates: Update[] = [];
    for (const part of parts) {
      updates.push({ executable: await device.compile(rule.program(part(values).shape, decays)), part });
    }
    return new UpdateGroup(slice, grouping, { values, states, updates });
  }

  /** Memory for a gradient of the parameters. Throws `OutOfSliceMemory`. */
  gradient(): FlatArena {
    return this.slice.arena('gradients', shapesOf(this.parameters));
  }

  /** One update by a reduced gradient; `hyper` holds the rule's numbers of the decision. */
  async update(gradient: FlatArena, hyper: Tensor): Promise<void> {
    for (const { executable, part } of this.updates) {
      const states = Object.entries(this.states).map(([state, arena]) => [state, part(arena)] as const);
      const bindings = { parameters: part(this.values), gradient: part(gradient), hyper };
      await executable.run({ ...bindings, ...Object.fromEntries(states) });
    }
  }

  /** What a checkpoint holds of the group, by the names there. */
  stored(): Record<string, Tensor> {
    const moments = Object.entries(this.states).flatMap(([state, { views }]) =>
      this.parameters.map(({ name }) => [`${name}.${state}`, views[name]] as const),
    );
    return { ...this.values.views, ...Object.fromEntries(moments) };
  }
}

const shapesOf = (parameters: readonly Parameter[]): Record<string, readonly number[]> =>
  Object.fromEntries(parameters.map(({ name, shape }) => [name, shape]));
