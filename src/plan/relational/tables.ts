/** Infers the tables of a relational plan: columns of embedded documents, and child tables of arrays, at any depth. */

import { maxColumns, maxKeyColumns, namePaths, uniqueName } from '../../common/identifiers.ts';
import { formatCount, formatPlural } from '../../common/format.ts';
import type { ObjectIdStyle } from '../../config/plan-choices.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import type { PlanColumn } from '../../transcode/plan.ts';
import { maxRowWidth, widestRow } from '../../transcode/row-width.ts';
import { writePath } from '../file/field-path.ts';
import type { PlanFileChild, PlanFileColumn } from '../file/plan-schema.ts';
import { chooseColumnType, chooseIdType, withObjectIdStyle } from '../infer/column-type.ts';
import type { FieldStats, SampleStats } from '../infer/field-stats.ts';
import { byFrequency, describeSeen } from '../infer/seen.ts';
import { chooseShape, type ShapeOptions } from './shapes.ts';

export interface RelationalOptions extends ShapeOptions {
  readonly objectId: ObjectIdStyle;
  /** Top-level fields that become NOT NULL, unless a document of the sample has no value for them. */
  readonly requiredFields: readonly string[];
  /** The main table. */
  readonly table: string;
  /** Names of other tables, existing or planned. */
  readonly otherTables: readonly string[];
}

/** The part of a plan file that is inferred. */
export interface RelationalPart {
  readonly columns: PlanFileColumn[];
  readonly extraColumn: string;
  readonly flatten: string[][];
  readonly children: PlanFileChild[];
}

export interface RelationalInference {
  readonly part: RelationalPart;
  /** Information for people. */
  readonly notices: readonly string[];
}

/** With more tables, names are probably data, and the schema would be unreadable. */
const maxTables = 100;

export function inferTables(stats: SampleStats, options: RelationalOptions): RelationalInference {
  return new Inferring(stats, options).infer();
}

/** A possible column. */
interface Candidate {
  readonly names: readonly string[];
  readonly stats: FieldStats;
  readonly type: ColumnType;
  readonly isArray: boolean;
}

/** The columns, flattened documents and arrays of one table. */
interface Level {
  readonly columns: Candidate[];
  readonly flatten: string[][];
  readonly arrays: {
    readonly names: readonly string[];
    readonly elements: FieldStats;
    readonly value: ColumnType | null;
  }[];
}

/** A table that is being inferred. */
interface Table {
  readonly name: string;
  /** The key columns of a child table; empty for the main table. */
  readonly key: readonly string[];
  /** The field with the array; empty for the main table. */
  readonly field: string;
  /** The number of documents or elements in the sample. */
  readonly total: number;
}

class Inferring {
  readonly #stats: SampleStats;
  readonly #options: RelationalOptions;
  readonly #tables: Set<string>;
  readonly #notices: string[] = [];
  #tableCount = 0;
  #tooDeep = 0;

  constructor(stats: SampleStats, options: RelationalOptions) {
    this.#stats = stats;
    this.#options = options;
    this.#tables = new Set([options.table, ...options.otherTables]);
  }

  infer(): RelationalInference {
    const { fields, documents } = this.#stats;
    const level = this.#collect(fields, 0);
    const main = { name: this.#options.table, key: [], field: '', total: documents };
    const { columns, extraColumn, names } = this.#name(level.columns, main);
    // The key has the same name in all tables, so that they can be joined with USING.
    const id = names.get(JSON.stringify(['_id'])) ?? '_id';
    const children = level.arrays.flatMap((array) => this.#inferChild(array, main, [id]));
    const part = { columns, extraColumn, flatten: level.flatten, children };
    if (this.#tableCount > maxTables) {
      this.#notices.push(
        `${formatCount(this.#tableCount - maxTables)} more arrays have no table of their own, and stay jsonb or in the extra column`,
      );
    }
    if (this.#tooDeep > 0) {
      const stay = this.#tooDeep === 1 ? 'stays' : 'stay';
      this.#notices.push(
        `${formatPlural(this.#tooDeep, 'array')} inside of ${maxKeyColumns - 1} others ${stay} jsonb: a key in PostgreSQL has at most ${maxKeyColumns} columns`,
      );
    }
    return { part, notices: this.#notices };
  }

  /** @param depth the number of arrays around; 0 for the main table */
  #collect(fields: ReadonlyMap<string, FieldStats>, depth: number): Level {
    const level: Level = { columns: [], flatten: [], arrays: [] };
    const add = (inside: ReadonlyMap<string, FieldStats>, around: readonly string[]): void => {
      for (const [name, stats] of inside) {
        const names = [...around, name];
        const isId = depth === 0 && around.length === 0 && name === '_id';
        const shape = isId ? { kind: 'column' as const } : chooseShape(stats, around.length, this.#options);
        const addColumn = (type: ColumnType, isArray = false): void => {
          level.columns.push({
            names,
            stats,
            type: withObjectIdStyle(type, this.#options.objectId),
            isArray,
          });
        };
        switch (shape.kind) {
          case 'column':
            addColumn(
              isId ? chooseIdType(new Set(stats.types.keys())) : chooseColumnType(stats.types.keys()),
            );
            break;
          case 'array':
            addColumn(shape.type, true);
            break;
          case 'flat':
            if (shape.others !== null) addColumn(shape.others);
            level.flatten.push(names);
            add(stats.children, names);
            break;
          case 'child':
            if (depth + 2 > maxKeyColumns) {
              this.#tooDeep++;
              addColumn('json');
            } else if (++this.#tableCount > maxTables) {
              addColumn('json');
            } else {
              level.arrays.push({ ...shape, names });
            }
        }
      }
    };
    add(fields, []);
    return level;
  }

  /** @param keyAbove the key columns of the parent row */
  #inferChild(
    { names, elements, value }: Level['arrays'][number],
    parent: Table,
    keyAbove: readonly string[],
  ): PlanFileChild[] {
    const field = names.at(-1) ?? '';
    const name = uniqueName([parent.name, ...names].join('_'), this.#tables);
    const ordinalColumn = uniqueName(`${field}_ordinal`, new Set(keyAbove));
    const key = [...keyAbove, ordinalColumn];
    const level = this.#collect(elements.children, key.length - 1);
    const element = value === null ? [] : [this.#elementOf(elements, value)];
    const table = { name, key, field, total: elements.count };
    const { columns, extraColumn } = this.#name([...element, ...level.columns], table);
    const children = level.arrays.flatMap((array) => this.#inferChild(array, table, key));
    return [
      {
        path: toWritten(names),
        table: name,
        ...(keyAbove.length === 1 ? { parentColumn: keyAbove[0] } : {}),
        ordinalColumn,
        keepEmpty: true,
        columns,
        extraColumn,
        ...(level.flatten.length === 0 ? {} : { flatten: level.flatten }),
        ...(children.length === 0 ? {} : { children }),
      },
    ];
  }

  #elementOf(stats: FieldStats, type: ColumnType): Candidate {
    return { names: [], stats, type: withObjectIdStyle(type, this.#options.objectId), isArray: false };
  }

  /** Names the columns, and omits those beyond the limit of a table. */
  #name(
    candidates: readonly Candidate[],
    { name: table, key, field, total }: Table,
  ): { columns: PlanFileColumn[]; extraColumn: string; names: ReadonlyMap<string, string> } {
    const isMain = key.length === 0;
    const chosen = choose(candidates, isMain, key.length);
    const left = candidates.length - chosen.length;
    if (left > 0) {
      this.#notices.push(
        `${left} rare fields of "${table}" have no column of their own and go to the extra column: ` +
          `a table has at most ${formatCount(maxColumns)} columns`,
      );
    }
    const wanted = chosen.map(({ names }) => {
      if (names.length === 0) return ['value'];
      // `_id` of an element; the name of the document's is taken by the key.
      return !isMain && names[0] === '_id' ? [field, 'id', ...names.slice(1)] : names;
    });
    const columnNames = namePaths(wanted, key);
    const extraColumn = uniqueName('_extra', new Set([...columnNames, ...key]));
    const named = new Map<string, string>();
    const columns = chosen.map((candidate, index): PlanFileColumn => {
      const { names, stats, type, isArray } = candidate;
      const column = columnNames[index] ?? '';
      named.set(JSON.stringify(names), column);
      const isRequired = isMain && this.#isRequired(names, stats);
      this.#describe(candidate, column, wanted[index] ?? [], table, isMain);
      return {
        column,
        path: toWritten(names),
        type,
        ...(isArray ? { array: true } : {}),
        ...(isRequired ? { notNull: true } : {}),
        ...(total > 0 ? { seen: describeSeen(stats, total) } : {}),
      };
    });
    return { columns, extraColumn, names: named };
  }

  #isRequired(names: readonly string[], { count, types }: FieldStats): boolean {
    const [name = ''] = names;
    if (names.length > 1 || name === '_id' || !this.#options.requiredFields.includes(name)) return false;
    if (count - (types.get('null') ?? 0) === this.#stats.documents) return true;
    this.#notices.push(
      `the validator requires ${JSON.stringify(name)}, but a document without a value was found: it may be NULL`,
    );
    return false;
  }

  #describe(
    { names, stats, type, isArray }: Candidate,
    column: string,
    wanted: readonly string[],
    table: string,
    isMain: boolean,
  ): void {
    const shown = `the field ${JSON.stringify(names.join('.'))}${isMain ? '' : ` of "${table}"`}`;
    if (column !== wanted.join('_')) this.#notices.push(`${shown} goes to the column "${column}"`);
    const met = byFrequency(stats.types)
      .map(([seen]) => seen)
      .filter((seen) => seen !== 'null');
    if (met.length > 1 && type === 'json' && !isArray) {
      this.#notices.push(`${shown} has several types (${met.join(', ')}) and becomes jsonb`);
    }
  }
}

/**
 * The most frequent fields, in the order of first occurrence. If rows may not fit a page, the most frequent ones come first,
 * because a row that is too wide moves the values of its last columns to the overflow column.
 */
function choose(candidates: readonly Candidate[], isMain: boolean, keyLength: number): readonly Candidate[] {
  const isFirst = ({ names }: Candidate): boolean =>
    names.length === 0 || (isMain && names.length === 1 && names[0] === '_id');
  const first = candidates.filter(isFirst);
  const others = candidates.filter((candidate) => !isFirst(candidate));
  // Besides the overflow column.
  const room = maxColumns - 1 - keyLength - first.length;
  const frequent = [...others].sort((a, b) => b.stats.count - a.stats.count).slice(0, room);
  const chosen = new Set(frequent);
  const columns = [...first, ...frequent].map(({ names, type, isArray }): PlanColumn => {
    const [field = ''] = names;
    return { field, column: '', type, ...(isArray ? { isArray } : {}) };
  });
  if (widestRow(columns) > maxRowWidth) return [...first, ...frequent];
  return [...first, ...others.filter((candidate) => chosen.has(candidate))];
}

function toWritten(names: readonly string[]): string | string[] {
  if (names.length === 0) return [];
  const path = writePath(names);
  return typeof path === 'string' ? path : [...path];
}
