/** The policies for U+0000 in text, which BSON allows, and text and jsonb of Postgres do not. */

import { DocumentError } from './document-error.ts';
import type { Output } from './output.ts';

interface NulPolicyDefinition {
  /** The bytes to write instead; null if the document becomes a dead letter. */
  readonly replacement: readonly number[] | null;
  /** What happens to a document that has it, as text for people. */
  readonly consequence: string;
}

const definitions = {
  reject: {
    replacement: null,
    consequence: 'such a document becomes a dead letter; --nul strip or replace keeps it',
  },
  strip: { replacement: [], consequence: '--nul strip' },
  // U+FFFD: https://www.unicode.org/glossary/#replacement_character
  replace: { replacement: [0xef, 0xbf, 0xbd], consequence: '--nul replace' },
} as const satisfies Record<string, NulPolicyDefinition>;

export type NulPolicy = keyof typeof definitions;

export const nulPolicies = Object.keys(definitions) as [NulPolicy, ...NulPolicy[]];

export const defaultNulPolicy: NulPolicy = 'reject';

export function describeConsequence(nul: NulPolicy): string {
  return definitions[nul].consequence;
}

/**
 * Writes the replacement of the NUL at `offset`, and reserves room for the rest of the text up to `end`.
 * @throws DocumentError if the policy is `reject`
 */
export function writeNul(nul: NulPolicy, offset: number, end: number, output: Output): void {
  const { replacement } = definitions[nul];
  if (replacement === null) {
    throw new DocumentError('nul', 'a character U+0000, which Postgres cannot store', offset);
  }
  output.reserve(replacement.length + end - offset);
  for (const byte of replacement) output.bytes[output.position++] = byte;
}
