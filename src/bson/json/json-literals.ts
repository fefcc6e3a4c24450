/** The fixed parts of Extended JSON, as bytes. */

import type { Output } from '../output.ts';

/** Short enough that a loop is faster than a native copy. */
export function writeLiteral(literal: DataView, output: Output): void {
  const length = literal.byteLength;
  output.reserve(length);
  const { bytes, position } = output;
  for (let i = 0; i < length; i++) bytes[position + i] = literal.getUint8(i);
  output.position = position + length;
}

function ascii(literal: string): DataView {
  const bytes = new TextEncoder().encode(literal);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export const text = {
  true: ascii('true'),
  false: ascii('false'),
  null: ascii('null'),
  undefined: ascii('{"$undefined":true}'),
  minKey: ascii('{"$minKey":1}'),
  maxKey: ascii('{"$maxKey":1}'),
  objectId: ascii('{"$oid":"'),
  date: ascii('{"$date":'),
  numberInt: ascii('{"$numberInt":"'),
  numberLong: ascii('{"$numberLong":"'),
  numberDouble: ascii('{"$numberDouble":"'),
  numberDecimal: ascii('{"$numberDecimal":"'),
  symbol: ascii('{"$symbol":'),
  code: ascii('{"$code":'),
  codeScope: ascii(',"$scope":'),
  binary: ascii('{"$binary":{"base64":"'),
  binarySubtype: ascii('","subType":"'),
  timestamp: ascii('{"$timestamp":{"t":'),
  timestampOrdinal: ascii(',"i":'),
  regex: ascii('{"$regularExpression":{"pattern":'),
  regexOptions: ascii(',"options":'),
  dbPointer: ascii('{"$dbPointer":{"$ref":'),
  dbPointerId: ascii(',"$id":'),
  document: ascii('{"$document":['),
  end: ascii('}'),
  endEnd: ascii('}}'),
  endQuoted: ascii('"}'),
};
