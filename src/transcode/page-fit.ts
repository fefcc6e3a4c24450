/** Makes a row fit a page of Postgres, by moving out the values of its last columns, which are the rarest. */

import type { PlanColumn } from './plan.ts';
import { addWidth, maxRowWidth, measureOf, widestRow, widthOfExtra, widthOfHeader } from './row-width.ts';
import type { MeasureValue, Width } from './column-types/width.ts';
import { copyNull } from './field.ts';
import type { Output } from '../bson/output.ts';

const nothing: Width = [0, 1];

export class PageFit {
  readonly #measures: readonly MeasureValue[];
  /** Whether a column's value may be moved out. */
  readonly #isMovable: readonly boolean[];
  /** The maximum offset of the first column's value. */
  readonly #begin: number;
  /** Of the current row. */
  readonly #widths: Width[];

  /**
   * @param leading key columns, which always have a value
   * @param isMovable of each of the columns after these
   */
  constructor(leading: readonly PlanColumn[], columns: readonly PlanColumn[], isMovable: readonly boolean[]) {
    this.#measures = columns.map(measureOf);
    this.#isMovable = isMovable;
    this.#widths = columns.map(() => nothing);
    const header = widthOfHeader(leading.length + columns.length + 1);
    this.#begin = leading.reduce((offset, column) => addWidth(offset, measureOf(column)(Infinity)), header);
  }

  /** Null if every row fits. */
  static create(...[leading, columns, isMovable]: ConstructorParameters<typeof PageFit>): PageFit | null {
    return widestRow([...leading, ...columns]) <= maxRowWidth
      ? null
      : new PageFit(leading, columns, isMovable);
  }

  /**
   * Replaces values in the fields from `start` to the output's end by NULL until the rest fits. A row that never fits is left for Postgres to reject.
   * @returns the indexes of their columns, the last one first
   */
  fit(output: Output, start: number): readonly number[] {
    this.#measure(output, start);
    const left: number[] = [];
    let place = this.#widths.length - 1;
    for (let excess = this.#findExcess(); excess > 0 && place >= 0; excess = this.#findExcess()) {
      for (; excess > 0 && place >= 0; place--) {
        const width = this.#widths[place] ?? nothing;
        if (width === nothing || this.#isMovable[place] !== true) continue;
        excess -= width[0];
        this.#widths[place] = nothing;
        left.push(place);
      }
    }
    if (left.length > 0) leaveOut(output, start, new Set(left));
    return left;
  }

  #measure({ view }: Output, start: number): void {
    let at = start;
    for (const [place, measure] of this.#measures.entries()) {
      const length = view.getInt32(at);
      this.#widths[place] = length === copyNull ? nothing : measure(length);
      at += 4 + Math.max(0, length);
    }
  }

  #findExcess(): number {
    return addWidth(this.#widths.reduce(addWidth, this.#begin), widthOfExtra) - maxRowWidth;
  }
}

function leaveOut(output: Output, start: number, places: ReadonlySet<number>): void {
  const { bytes, view, position: end } = output;
  output.position = start;
  for (let at = start, place = 0; at < end; place++) {
    const next = at + 4 + Math.max(0, view.getInt32(at));
    if (places.has(place)) {
      output.writeInt32(copyNull);
    } else {
      bytes.copyWithin(output.position, at, next);
      output.position += next - at;
    }
    at = next;
  }
}
