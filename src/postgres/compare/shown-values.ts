/** Limits how many differences are shown, and shortens values around their first difference. */

/**
 * How many differences are listed per collection, and so per batch, which may have them all. They are checked again before they are
 * reported. Further ones are only counted.
 */
export const maxNamed = 100;

/** How much of a value is read for a comparison on the screen. */
export const maxReadCharacters = 10_000;

const maxShownCharacters = 200;

/** How much is shown before the first difference. */
const leadingCharacters = 40;

interface Values {
  readonly expected: string | null;
  readonly actual: string | null;
}

/** @param values cut to `maxReadCharacters`, null for NULL */
export function showValues({ expected, actual }: Values): Values {
  if (expected === null || actual === null) return { expected: cut(expected, 0), actual: cut(actual, 0) };
  let same = 0;
  while (same < expected.length && same < actual.length && expected[same] === actual[same]) same++;
  const isSame = same === expected.length && same === actual.length;
  const start = isSame || same < maxShownCharacters - leadingCharacters ? 0 : same - leadingCharacters;
  const note = isSame && same >= maxReadCharacters ? ` (the first ${same} characters are the same)` : '';
  return { expected: `${cut(expected, start) ?? ''}${note}`, actual: `${cut(actual, start) ?? ''}${note}` };
}

function cut(value: string | null, start: number): string | null {
  if (value === null) return null;
  const end = start + maxShownCharacters;
  return `${start > 0 ? '…' : ''}${value.slice(start, end)}${end < value.length ? '…' : ''}`;
}
