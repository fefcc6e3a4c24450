/** A column of the plan, and where the current document has its value. */

import { namesOf, type PlanColumn } from './plan.ts';
import type { ElementPosition } from '../bson/cursor.ts';

/** The number of a document that no batch has: documents are counted from 1. */
const noDocument = 0;

export class ColumnSlot implements ElementPosition {
  readonly plan: PlanColumn;
  /** The names that lead to the value from its field; none for the field itself. */
  readonly path: readonly string[];
  /** The names that lead to the value from the document. */
  readonly names: readonly string[];
  /** What the value is called outside of its document: `address.city` for a nested one. */
  readonly name: string;
  /** An empty array in it has no row, and nothing else that tells of it. */
  readonly losesEmpty: boolean;
  /** The document that has the field; another number than the current one's means that it lacks the field. */
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
