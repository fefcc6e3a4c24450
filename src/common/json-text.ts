/** Parses JSON that a user wrote, and says where it is wrong. */

import { createRequire } from 'node:module';
import type { ParseError } from 'jsonc-parser';
import { UsageError } from './errors.ts';

/**
 * @param label names the text in the message: an option or a file
 * @throws UsageError with line and column
 */
export function parseJson(text: string, label: string): unknown {
  const tooDeep = findTooDeep(text);
  if (tooDeep !== null) {
    throw new UsageError(
      `${label} is nested more than ${maxDepth} levels deep: ${describePlace(text, tooDeep)}`,
      { code: 'JSON_INVALID', fix: 'use fewer levels: no plan and no filter needs so many.' },
    );
  }
  try {
    return JSON.parse(text);
  } catch {
    // Without the cause, which repeats the text.
    throw new UsageError(`${label} is not JSON: ${locate(text)}`, { code: 'JSON_INVALID' });
  }
}

/** JSON.parse gives the position of some mistakes only. */
function locate(text: string): string {
  // Loaded only for a mistake, because loading it would delay every command.
  const { parse, printParseErrorCode } = createRequire(import.meta.url)(
    'jsonc-parser',
  ) as typeof import('jsonc-parser');
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true });
  const [first] = errors;
  if (first === undefined) return 'it has a character that JSON does not allow';
  return `${describePlace(text, first.offset)}: ${explanations[printParseErrorCode(first.error)] ?? 'this is not allowed here'}`;
}

function describePlace(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** MongoDB accepts no deeper documents. The code that reads the JSON is recursive, and the stack is limited. */
const maxDepth = 200;

/** The offset at which it becomes too deep; null if it does not. */
function findTooDeep(text: string): number | null {
  let depth = 0;
  // Strings are matched whole, because brackets in them do not count. JSON.parse reports one that does not end.
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > maxDepth) return index;
  }
  return null;
}

const explanations: Partial<Record<string, string>> = {
  InvalidSymbol: 'names and texts must be in double quotes',
  InvalidNumberFormat: 'this is not a number',
  PropertyNameExpected: 'a name in double quotes must come here',
  ValueExpected: 'a value must come here',
  ColonExpected: 'a colon must come here',
  CommaExpected: 'a comma must come here',
  CloseBraceExpected: 'a closing } is missing',
  CloseBracketExpected: 'a closing ] is missing',
  EndOfFileExpected: 'the text should end here',
  InvalidCommentToken: 'JSON has no comments',
  UnexpectedEndOfString: 'this text does not end on its line',
  InvalidUnicode: 'this is not a \\u escape',
  InvalidEscapeCharacter: 'this text has an escape that JSON does not know',
  InvalidCharacter: 'this text has a control character, which must be escaped',
};
