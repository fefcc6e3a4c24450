/**
 * Compares a result with the expectation of the unified test format: additional fields are allowed at the
 * root only.
 *
 * https://github.com/mongodb/specifications/blob/master/source/unified-test-format/unified-test-format.md#evaluating-matches
 */
import assert from 'node:assert/strict';
import { BSON } from 'mongodb';

export function assertMatches(actual: unknown, expected: unknown, path = '', isRoot = true): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is no array`);
    assert.equal(actual.length, expected.length, `${path} has another length`);
    for (const [index, element] of expected.entries()) {
      assertField(actual, String(index), element, `${path}[${index}]`);
    }
    return;
  }
  if (!isObject(expected)) {
    const [found, wanted] = [actual, expected].map((value) => BSON.EJSON.stringify({ value }));
    assert.equal(found, wanted, `${path} differs`);
    return;
  }
  assert.ok(isObject(actual), `${path} is no object, but ${String(actual)}`);
  for (const [name, wanted] of Object.entries(expected)) {
    assertField(actual, name, wanted, `${path}.${name}`);
  }
  if (!isRoot) {
    const unexpected = Object.keys(actual).filter((name) => !(name in expected));
    assert.deepEqual(unexpected, [], `${path} has more fields than expected`);
  }
}

function assertField(
  actual: Record<string, unknown> | readonly unknown[],
  name: string,
  expected: unknown,
  path: string,
): void {
  const value: unknown = Reflect.get(actual, name);
  const [[operator, operand] = ['', undefined]] = isObject(expected) ? Object.entries(expected) : [];
  switch (operator) {
    case '$$exists':
      assert.equal(name in actual, operand, `${path} is ${name in actual ? '' : 'not '}there`);
      return;
    case '$$unsetOrMatches': {
      if (!(name in actual)) return;
      const inner = operand;
      if (isObject(inner) && '$$exists' in inner) return;
      assertMatches(value, inner, path, false);
      return;
    }
    case '$$type': {
      const types = [operand].flat();
      assert.ok(
        types.some((type) => isOfType(value, type)),
        `${path} is not of the type ${types.join(' or ')}`,
      );
      return;
    }
    default:
      assert.ok(name in actual, `${path} is missing`);
      assertMatches(value, expected, path, false);
  }
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'int':
    case 'long':
      return Number.isInteger(value) || (value instanceof BSON.Long && type === 'long');
    default:
      throw new Error(`the type ${String(type)} is not known to these tests`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('_bsontype' in value);
}
