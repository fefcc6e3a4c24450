/** A column of the plan, and the place of its value in the current document. */

import { namesOf, type PlanColumn } from './plan.ts';
import type { ElementPosition } from '../bson/cursor.ts';

/** No document has this number: they are counted from 1. */
const noDocument = 0;

export class ColumnSlot implements ElementPosition {
  readonly plan: PlanColumn;
  /** The path to the value from its field; empty for the field itself. */
  readonly path: readonly string[];
  /** The path to the value from the document. */
  readonly names: readonly string[];
  /** The name of the value in messages: `address.city` for a nested one. */
  readonly name: string;
  /** An empty array has no row, and would be lost. */
  readonly losesEmpty: boolean;
  /** The last document that has the field. If it is not the current one, the current one lacks the field. */
  document = noDocument;
  type = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  constructor(plan: PlanColumn, losesEmpty = false) {
    this.plan = plan;
    this.path = plan.path ?? [];
    this.names = namesOf(plan);
    this.name = this.names.join('.');
    this.losesEmpty = losesEmpty;
  }

  place(at: ElementPosition, document: number): void {
    this.document = document;
    this.type = at.type;
    this.nameStart = at.nameStart;
    this.nameEnd = at.nameEnd;
    this.valueStart = at.valueStart;
    this.valueEnd = at.valueEnd;
  }
}
