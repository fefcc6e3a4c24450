/** Surveys all values of a field in the extra column, before anything is changed. */

import type { JsonStyle } from '../../bson/json/json-style.ts';
import type { Meaning } from '../../bson/json/json-meanings.ts';
import { Output } from '../../bson/output.ts';
import { bsonTypes } from '../../bson/types.ts';
import type { SeenType } from '../../plan/infer/column-type.ts';
import { nameSeen } from '../../plan/infer/promoted-type.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { ExtraPages, ExtraValue } from '../../postgres/promote/extra-pages.ts';
import { KnownMeanings, type PromotedValues } from '../../transcode/promoted-values.ts';

export interface Survey {
  readonly count: number;
  readonly seen: ReadonlyMap<SeenType, number>;
  /** Whether some values may come from different BSON values, which a column would distinguish. */
  readonly isAmbiguous: boolean;
}

/** An integer with at most this many digits has the same value as int32, int64 and double. */
const exactDigits = 15;

export async function survey(
  session: Session,
  pages: ExtraPages,
  meanings: KnownMeanings,
  signal: AbortSignal,
): Promise<Survey> {
  const seen = new Map<SeenType, number>();
  let count = 0;
  let isAmbiguous = false;
  for await (const { json } of eachValue(session, pages, signal)) {
    const possible = meanings.list(json);
    const [first] = possible;
    count++;
    if (first === undefined) continue;
    add(seen, nameSeen(first));
    isAmbiguous ||= possible.length > 1 && !isExact(json, possible);
  }
  return { count, seen, isAmbiguous };
}

/** @returns how many values could become different column values */
export async function countAmbiguous(
  session: Session,
  pages: ExtraPages,
  values: PromotedValues,
  signal: AbortSignal,
): Promise<number> {
  const output = new Output(4096);
  let ambiguous = 0;
  for await (const { json } of eachValue(session, pages, signal)) {
    output.reset();
    if (values.write(json, output).fate === 'ambiguous') ambiguous++;
  }
  return ambiguous;
}

/** Counts the values of a sample by their most likely type. */
export function countSeen(style: JsonStyle, values: readonly string[]): ReadonlyMap<SeenType, number> {
  const meanings = new KnownMeanings(style, null);
  const seen = new Map<SeenType, number>();
  for (const json of values) {
    const [first] = meanings.list(json);
    if (first !== undefined) add(seen, nameSeen(first));
  }
  return seen;
}

function add(seen: Map<SeenType, number>, name: SeenType): void {
  seen.set(name, (seen.get(name) ?? 0) + 1);
}

async function* eachValue(
  session: Session,
  pages: ExtraPages,
  signal: AbortSignal,
): AsyncGenerator<ExtraValue> {
  for (let after: string | null = null; ;) {
    signal.throwIfAborted();
    const from: string | null = after;
    const page: ExtraValue[] = await session.transaction((client) => pages.read(client, from), 'long');
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.key;
  }
}

function isExact(json: string, possible: readonly Meaning[]): boolean {
  return (
    json.length <= exactDigits &&
    /^-?\d+$/.test(json) &&
    possible.every(({ type }) => type !== bsonTypes.decimal)
  );
}
