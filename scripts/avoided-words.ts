/** Words that documents, code and tests avoid, as people search for the field's terms. Only words without another use are listed. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

/** Each with the term to use. */
const avoided: readonly (readonly [words: RegExp, term: string])[] = [
  [/\banew\b/i, 'again, from scratch'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\btold of\b|\b(?:tell|tells|telling) of\b/i, 'report, show'],
  [/\btell(?:s)? (?:\w+ )?apart\b/i, 'distinguish'],
  [/\bgoes on\b|\bwent on\b/i, 'continue, resume'],
  [/\bto be had\b/i, 'available'],
  [/\bwhat becomes of\b/i, 'the result of, how it is stored'],
  [/\band the like\b|\bhas the like\b/i, 'equivalents, similar'],
  [/\b(?:one's|somebody's) own\b/i, 'existing, custom'],
  [/\bdeadly\b/i, 'poison'],
  [/\b(?:im)?patien(?:ce|t)\b/i, 'retry, limit'],
  [/\blast words\b/i, 'crash report'],
  [/\bsigns? of life\b/i, 'heartbeat'],
  [/\bhomeless\b/i, 'unmapped'],
  [/\b(?:the|a|another|new) lead\b(?!-)/i, 'leader'],
  [/\bovertook\b|\b(?:was|were|is|are) overtaken\b/i, 'superseded'],
  [/\blest\b|\bthereof\b|\bhence\b/i, 'so that, of it, therefore'],
];

const roots = ['docs', 'src', 'test', 'scripts', 'packages', 'deploy'];
const endings = /\.(?:md|ts|py|sh|yaml)$/;
/** Statements that ledgers have executed already; this list and its test. */
const excepted =
  /(?:^|\/)node_modules\/|^src\/postgres\/ledger\/migrations\/|\/avoided-words(?:\.test)?\.ts$/;

export interface Finding {
  readonly place: string;
  readonly word: string;
  readonly term: string;
}

/** In all documents and sources of the current folder. */
export function findAvoidedWords(): Finding[] {
  const inRoots = roots.filter((root) => existsSync(root)).flatMap((root) => listFiles(root));
  const atTop = readdirSync('.').filter((file) => file.endsWith('.md'));
  return [...atTop, ...inRoots].flatMap((file) => findInText(file, readFileSync(file, 'utf8')));
}

export function findInText(file: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, index) =>
    avoided.flatMap(([words, term]) => {
      const word = words.exec(line)?.[0];
      return word === undefined ? [] : [{ place: `${file}:${index + 1}`, word, term }];
    }),
  );
}

function listFiles(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(root, name)).filter((path) => endings.test(path) && !excepted.test(path));
}
