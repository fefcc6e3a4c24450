/** For tests of following with a child table: the plan of things `{_id, text, lines: [{sku}]}`, whose lines are rows of their own. */

export const planWithLines = {
  columns: [
    { column: 'id', path: '_id', type: 'int32' },
    { column: 'text', path: 'text', type: 'string' },
  ],
  children: [
    {
      path: 'lines',
      table: 'thing_lines',
      parentColumn: 'thing_id',
      columns: [{ column: 'sku', path: 'sku', type: 'string' }],
    },
  ],
};
