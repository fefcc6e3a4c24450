/** Finds, in one pass over a document, the value of each column, and the fields without a column. */

import type { Plan } from './plan.ts';
import type { BsonBytes } from '../bson/cursor.ts';
import { ColumnSlot } from './column-slot.ts';
import { FieldLevel } from './field-level.ts';

export type FieldsOfPlan = Pick<Plan, 'columns' | 'dropped' | 'keepsWhole' | 'children' | 'flattened'>;

/** The fields of a document, and of its flattened embedded documents. */
export class DocumentFields extends FieldLevel {
  /** In the plan's order. */
  readonly slots: readonly ColumnSlot[];
  /** The arrays of the child tables in the current document, in the plan's order. */
  readonly childSlots: readonly ColumnSlot[];

  constructor({ columns, dropped, keepsWhole, children = [], flattened = [] }: FieldsOfPlan) {
    const slots = columns.map((column) => new ColumnSlot(column));
    const childSlots = children.map(({ field, path = [], keepsEmpty, plan }) => {
      return new ColumnSlot({ field, path, column: plan.table, type: 'json' }, keepsEmpty !== true);
    });
    const located = [...slots.filter(({ plan }) => plan.isElement !== true), ...childSlots];
    super({ slots: located, dropped, keepsWhole: keepsWhole === true, flattened });
    this.slots = slots;
    this.childSlots = childSlots;
  }

  /**
   * Goes through the document from `start` to before `end`. Throws a BsonError if it is corrupt, and a DocumentError if its
   * extra column would have a field twice.
   */
  locate(source: BsonBytes, start: number, end: number): void {
    this.walk(source, start, end, this.document + 1);
  }
}
