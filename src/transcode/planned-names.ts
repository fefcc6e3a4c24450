/** The field names that a plan maps, in a document or in an embedded document that is flattened. */

import type { ColumnSlot } from './column-slot.ts';
import { NestedFields } from './nested-fields.ts';

/** The fields of a level. */
export interface LevelOptions {
  /** The columns of this level and of levels inside it. */
  readonly slots: readonly ColumnSlot[];
  readonly dropped?: readonly string[] | undefined;
  readonly keepsWhole?: boolean;
  /** Paths of the embedded documents that are flattened, from the outermost document. */
  readonly flattened: readonly (readonly string[])[];
  /** The path of this level; empty for the outermost one. */
  readonly names?: readonly string[];
}

/** What is known about a field name. `L` is the level of an embedded document that is flattened. */
export interface NameState<L> {
  /** The full path of the field. */
  readonly shown: string;
  /** Its column, if it has one. */
  slot: ColumnSlot | null;
  /** Columns for values inside of it. */
  nested: NestedFields | null;
  /** Its level, if it is flattened wherever it is a document. */
  flat: L | null;
  /** It is stored neither in a column nor in the extra column. */
  isDropped: boolean;
  /** The last document that had it in its extra column. */
  extraDocument: number;
}

export function createState<L>(shown: string): NameState<L> {
  return { shown, slot: null, nested: null, flat: null, isDropped: false, extraDocument: 0 };
}

/**
 * What the plan says about each name. Throws a RangeError if there are two columns for one value.
 * @param createLevel creates the level of an embedded document that is flattened
 */
export function planNames<L>(
  { slots, dropped = [], flattened, names = [] }: LevelOptions,
  createLevel: (options: LevelOptions) => L,
): Map<string, NameState<L>> {
  requireDifferent(slots);
  const depth = names.length;
  const prefix = names.map((name) => `${name}.`).join('');
  const inside = flattened.filter(
    (path) => path.length === depth + 1 && names.every((name, index) => name === path[index]),
  );
  const states = new Map<string, NameState<L>>();
  const stateOf = (name: string): NameState<L> => {
    const known = states.get(name) ?? createState<L>(`${prefix}${name}`);
    states.set(name, known);
    return known;
  };
  const slotsIn = (name: string): ColumnSlot[] =>
    slots.filter((slot) => slot.names.length > depth + 1 && slot.names[depth] === name);
  for (const path of inside) {
    const name = path[depth] ?? '';
    stateOf(name).flat = createLevel({ slots: slotsIn(name), flattened, names: path });
  }
  for (const slot of slots) {
    const name = slot.names[depth] ?? '';
    if (slot.names.length === depth + 1) {
      stateOf(name).slot = slot;
      continue;
    }
    const state = stateOf(name);
    if (state.flat !== null) continue;
    state.nested ??= new NestedFields(slotsIn(name), depth);
    // The name under which it goes to the extra column.
    stateOf(slot.names.slice(depth).join('.'));
  }
  for (const name of dropped) {
    const state = stateOf(name);
    state.isDropped = state.slot === null && state.flat === null;
  }
  return states;
}

function requireDifferent(slots: readonly ColumnSlot[]): void {
  const names = slots.map((slot) => JSON.stringify(slot.names));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`the plan has two columns for ${twice}`);
}
