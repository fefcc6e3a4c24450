/**
 * Writes the texts that follow from the code into the docs, or (`--check`) fails where they differ. Either fails at an avoided
 * word.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { flagOf, optionNames, options, shownDefault } from '../src/config/options.ts';
import type { Option } from '../src/config/options/option.ts';
import { findAvoidedWords } from './avoided-words.ts';
import { createPlanFileSchema } from '../src/plan/file/plan-schema.ts';

const isCheck = process.argv.includes('--check');
let differing = 0;

put('.env.example', envExample());
put('README.md', replaceSection(readFileSync('README.md', 'utf8'), 'options', optionTable()));
put('docs/plan.schema.json', await formatJson('docs/plan.schema.json', createPlanFileSchema()));
const findings = findAvoidedWords();
for (const { place, word, term } of findings) console.error(`${place}: instead of "${word}": ${term}`);
if (findings.length > 0) {
  console.error('use the terms of scripts/avoided-words.ts');
  process.exitCode = 1;
}
if (differing > 0) {
  console.error('run `npm run docs` and commit what it changes');
  process.exitCode = 1;
} else {
  console.log('docs: .env.example, the option table and the schema of plans agree with the code');
}

function put(file: string, wanted: string): void {
  const actual = readIfThere(file);
  if (actual === wanted) return;
  if (isCheck) {
    console.error(`${file} does not agree with the code`);
    differing++;
  } else {
    writeFileSync(file, wanted);
    console.log(`wrote ${file}`);
  }
}

function envExample(): string {
  const entries = optionNames.map((name) => {
    const option: Option = options[name];
    return `# ${option.describe}\n# ${option.env}=${shownDefault(name)}\n`;
  });
  return `# Copy to .env and change what you need. The environment and flags go before this file.\n\n${entries.join('\n')}`;
}

function optionTable(): string {
  const rows = optionNames.map((name) => {
    const option: Option = options[name];
    const standard = shownDefault(name);
    const shown = standard === '' ? '' : `\`${standard}\``;
    return `| \`${option.env}\` | \`--${flagOf(name)}\` | ${shown} | ${option.describe} |`;
  });
  return ['| variable | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** As the linter wants it. */
async function formatJson(file: string, value: object): Promise<string> {
  return await format(JSON.stringify(value), { ...(await resolveConfig(file)), filepath: file });
}

function replaceSection(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md lacks the markers ${start} and ${end}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
