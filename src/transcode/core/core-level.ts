/** A document whose fields have columns, in the core: that of a row, or one inside of it that is flattened. */

import { maxUnplannedNames } from '../field-level.ts';
import { CoreNames, placed, UnsuitedPlan } from './core-names.ts';
import type { Core } from './module.ts';

/** The fields of a level. */
export interface CoreLevelOptions {
  /** The paths of all columns and child tables, from the document of the row. */
  readonly planned: readonly (readonly string[])[];
  readonly dropped?: readonly string[];
  readonly flattened: readonly (readonly string[])[];
  /** The path of this level; empty for the document of the row. */
  readonly path?: readonly string[];
}

/** Where a value is looked for. */
export interface CorePlace {
  readonly level: number;
  readonly name: number;
  /** It is inside of a field of the level. */
  readonly isNested: boolean;
}

export class CoreLevel {
  /** The last name of its path. */
  readonly name: string;
  readonly names: CoreNames;
  /** In the plan's order. */
  readonly inner: readonly CoreLevel[];
  readonly #level: number;

  /** @param create returns the address of the level with these names. @throws UnsuitedPlan */
  constructor(core: Core, options: CoreLevelOptions, create: (names: CoreNames) => number) {
    const { planned, dropped = [], flattened, path = [] } = options;
    const depth = path.length;
    const isInside = (other: readonly string[]): boolean =>
      other.length > depth && path.every((name, index) => name === other[index]);
    const flat = flattened.filter((other) => other.length === depth + 1 && isInside(other));
    const flatNames = flat.map((other) => other[depth] ?? '');
    if (new Set(flatNames).size < flatNames.length) throw new UnsuitedPlan();
    // A value inside of a field goes to the extra column by the second of these names.
    const here = planned
      .filter(isInside)
      .flatMap((other) => [other[depth] ?? '', other.slice(depth).join('.')]);
    const prefix = path.map((name) => `${name}.`).join('');
    const capacity = new Set([...here, ...flatNames, ...dropped]).size + maxUnplannedNames;
    this.name = path.at(-1) ?? '';
    this.names = new CoreNames(core, capacity, prefix);
    this.#level = create(this.names);
    for (const name of here) this.names.add(name);
    this.inner = flat.map((inside) => {
      const name = this.names.add(inside[depth] ?? '');
      const add = ({ names }: CoreNames): number => placed(core.addLevel(this.#level, name, names));
      return new CoreLevel(core, { planned, flattened, path: inside }, add);
    });
  }

  /** @param path from this level. @throws UnsuitedPlan */
  place(path: readonly string[]): CorePlace {
    const [name = '', ...rest] = path;
    const inner = rest.length > 0 ? this.find(name) : undefined;
    if (inner !== undefined) return inner.place(rest);
    return { level: this.#level, name: this.names.addPath(path), isNested: rest.length > 0 };
  }

  /** A value that is in no field. @param name by which it is counted. @throws UnsuitedPlan */
  placeUnseen(name: string): CorePlace {
    return { level: this.#level, name: this.names.addUnseen(name), isNested: false };
  }

  find(name: string): CoreLevel | undefined {
    return this.inner.find((inner) => inner.name === name);
  }
}
