/** Projections with paths and expressions, such as `{'ns.db': 1, kind: '$operationType'}`. */
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { isTruthy } from '../../../../../src/bson/match/operators.ts';
import { CommandError } from '../errors.ts';
import { assignAt, parseExpression, removeAt } from '../expressions.ts';
import type { Expression } from '../expressions.ts';
import type { Projection } from '../query/projection.ts';
import { Tree } from '../update/document-tree.ts';
import type { TreeValue } from '../update/document-tree.ts';

interface Parts {
  readonly included: string[][];
  readonly excluded: string[][];
  readonly computed: { readonly path: string[]; readonly expression: Expression }[];
}

export function parseNestedProjection(spec: RawField): Projection {
  const parts: Parts = { included: [], excluded: [], computed: [] };
  collect(spec, [], parts);
  const { included, excluded, computed } = parts;
  const isIdExcluded = excluded.some((path) => path.join('.') === '_id');
  const others = excluded.filter((path) => path.join('.') !== '_id');
  if (others.length > 0 && (included.length > 0 || computed.length > 0)) {
    throw new CommandError(
      31254,
      `Cannot do exclusion on field ${others[0]?.join('.') ?? ''} in inclusion projection`,
    );
  }
  if (included.length === 0 && computed.length === 0) {
    return (bytes, start) => {
      const tree = Tree.readDocument(bytes, start);
      for (const path of excluded) {
        removeAt(tree, path);
      }
      return tree.encode();
    };
  }
  const wanted = isIdExcluded ? included : [['_id'], ...included];
  return (bytes, start) => {
    const tree = include(Tree.readDocument(bytes, start), wanted);
    for (const { path, expression } of computed) {
      assignAt(tree, path, expression(bytes, start));
    }
    return tree.encode();
  };
}

/** An object without operators is a path further in. */
function collect(spec: RawField, path: readonly string[], parts: Parts): void {
  for (const field of readFields(spec.bytes, spec.start)) {
    const at = [...path, ...field.name.split('.')];
    if (field.type === bsonTypes.object && !isOperator(field)) {
      collect(field, at, parts);
    } else if (!switches.includes(field.type)) {
      parts.computed.push({ path: at, expression: parseExpression(field) });
    } else {
      (isTruthy(field) ? parts.included : parts.excluded).push(at);
    }
  }
}

function isOperator(field: RawField): boolean {
  const first = readFields(field.bytes, field.start).next();
  return first.done !== true && first.value.name.startsWith('$');
}

/** Types that select or exclude a field. */
const switches: readonly number[] = [
  bsonTypes.bool,
  bsonTypes.int,
  bsonTypes.long,
  bsonTypes.double,
  bsonTypes.decimal,
];

function include(tree: Tree, paths: readonly (readonly string[])[]): Tree {
  const result = new Tree(false);
  for (const { name, value } of tree.fields) {
    const below = paths.filter(([first]) => first === name).map(([, ...rest]) => rest);
    if (below.some((rest) => rest.length === 0)) {
      result.fields.push({ name, value });
    } else if (below.length > 0) {
      const part = includeWithin(tree, name, below);
      if (part !== undefined) {
        result.fields.push({ name, value: part });
      }
    }
  }
  return result;
}

/** Of an array, the parts of its elements; anything that has no fields is omitted. */
function includeWithin(
  tree: Tree,
  name: string,
  paths: readonly (readonly string[])[],
): TreeValue | undefined {
  const child = tree.open(name);
  if (child?.isArray !== true) {
    return child && include(child, paths);
  }
  const elements = child.fields.flatMap((_, index) => includeWithin(child, String(index), paths) ?? []);
  return new Tree(
    true,
    elements.map((value) => ({ name: '', value })),
  );
}
