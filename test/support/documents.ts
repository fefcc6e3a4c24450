/** README.md and docs/*.md as their tests see them: blocks of code with the comments before them, and commands in the text. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A fenced block of code. */
export interface Block {
  readonly file: string;
  /** The line of the fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The notes in the comment right before it: `<!-- file plan.json -->`, `<!-- interrupted, exits 130 -->`. */
  readonly notes: readonly string[];
}

/** A command within a sentence or a table. */
export interface QuotedCommand {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

export interface DocumentText {
  readonly file: string;
  readonly blocks: readonly Block[];
  readonly quoted: readonly QuotedCommand[];
}

/** A command line of a block, and its output in the document. */
export interface Command {
  readonly prompt: 'shell' | 'sql';
  readonly text: string;
  readonly output: readonly string[];
}

export function readDocuments(): DocumentText[] {
  const docs = readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => join('docs', name));
  return ['README.md', ...docs].map((file) => readDocument(file));
}

export function readDocument(file: string, text = readFileSync(file, 'utf8')): DocumentText {
  const blocks: Block[] = [];
  const quoted: QuotedCommand[] = [];
  let open: { line: number; language: string; notes: string[]; lines: string[] } | null = null;
  let notes: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (open !== null) {
      if (line === '```') {
        blocks.push({ file, ...open, text: open.lines.join('\n') });
        open = null;
      } else {
        open.lines.push(line);
      }
      continue;
    }
    if (line.startsWith('```')) {
      open = { line: index + 1, language: line.slice(3), notes, lines: [] };
      notes = [];
      continue;
    }
    if (line === '') continue;
    notes = /^<!-- (.*) -->$/.exec(line)?.[1]?.split(', ') ?? [];
    for (const [, code = ''] of line.matchAll(/`([^`]+)`/g)) {
      if (isCommand(code)) quoted.push({ file, line: index + 1, text: code });
    }
  }
  if (open !== null) throw new Error(`${file}:${open.line}: the block does not end`);
  return { file, blocks, quoted };
}

/** Programs that documents name with arguments; the name alone, as in "what `mongodump` wrote", is no command. */
function isCommand(code: string): boolean {
  return /^([A-Z_]+=\S+ )*(npm \w|npx \w|node \w|docker \w|mongo\w+ --|psql -|\.ci\/run)/.test(code);
}

/** @throws Error where a block hides a command, so that none is left unrun */
export function listCommands({ file, line, language, text }: Block): Command[] {
  switch (language) {
    case 'sh':
    case 'bash':
      return text
        .replaceAll('\\\n', ' ')
        .split('\n')
        .filter((one) => one !== '' && !one.startsWith('#'))
        .map((one) => ({ prompt: 'shell', text: one, output: [] }));
    case 'console':
      return listPrompts(text);
    case 'sql':
      return [{ prompt: 'sql', text, output: [] }];
    default:
      if (/^(\$|\w+=[>#]) /m.test(text)) {
        throw new Error(`${file}:${line}: commands belong into a console block`);
      }
      return [];
  }
}

/** `$ npm start`, `school=> SELECT 1;`, and below each its output. */
function listPrompts(text: string): Command[] {
  const commands: { prompt: Command['prompt']; text: string; output: string[] }[] = [];
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    const shell = /^\$ (.*)$/.exec(line)?.[1];
    const sql = /^\w+=[>#] (.*)$/.exec(line)?.[1];
    if (shell !== undefined) commands.push({ prompt: 'shell', text: shell, output: [] });
    else if (sql !== undefined) commands.push({ prompt: 'sql', text: sql, output: [] });
    else commands.at(-1)?.output.push(line);
  }
  return commands;
}

/** The simple commands of a command line, without variables before and a comment behind them. */
export function splitCommand(text: string): string[] {
  return text
    .replace(/ +# .*$/, '')
    .split(' && ')
    .map((part) => part.trim().replace(/^([A-Z_]+=('[^']*'|"[^"]*"|\S*) +)+/, ''));
}
