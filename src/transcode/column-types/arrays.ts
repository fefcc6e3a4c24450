/** Arrays of Postgres, of any of the other types. */

import { createArrayForm } from '../encode/text-form.ts';
import { createArrayEncoder } from '../encode/encode-array.ts';
import type { ValueKindDefinition } from './definition.ts';
import { opaque } from './width.ts';

export const array: ValueKindDefinition = {
  planTypes: ['json'],
  width: opaque,
  takes: ({ element, dimensions = 1 }, { createInner }) =>
    element === undefined ? {} : { array: createArrayEncoder(createInner(element), element.oid, dimensions) },
  createText: ({ element }, createInner) => {
    if (element === undefined) throw new RangeError('an array without a type of its elements');
    return createArrayForm(createInner(element), element.delimiter);
  },
};
