/** The licences of the packages that are in the bundles, which must be distributed with them. */

import { readdirSync, readFileSync } from 'node:fs';

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/**
 * @param folders of the packages
 * @returns name, version and the whole text of each
 * @throws Error where a package has no text of its licence
 */
export function collectLicences(folders: readonly string[]): string {
  const parts = folders.map((folder) => {
    const {
      name,
      version,
      license = '',
    } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as PackageJson;
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const texts = files.map((file) => readFileSync(`${folder}/${file}`, 'utf8').trim());
    if (texts.length === 0) texts.push(...readSection(folder));
    return {
      name,
      text: [`${name} ${version} (${license})`, ...texts].join('\n\n'),
      hasText: texts.length > 0,
    };
  });
  const lacking = parts.filter(({ hasText }) => !hasText).map(({ name }) => name);
  if (lacking.length > 0) throw new Error(`no text of the licence of ${lacking.join(', ')}`);
  const line = `\n\n${'-'.repeat(80)}\n\n`;
  return `The files in this folder contain code of these packages.${line}${parts.map(({ text }) => text).join(line)}\n`;
}

/** Some have it in their README only. */
function readSection(folder: string): string[] {
  const readme = readdirSync(folder).find((file) => /^readme\.md$/i.test(file));
  if (readme === undefined) return [];
  const [section = ''] = /^#+ *licen[cs]e\b[^]*/im.exec(readFileSync(`${folder}/${readme}`, 'utf8')) ?? [];
  return section === '' ? [] : [section.trim()];
}
