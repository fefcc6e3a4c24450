/** The report as one self-contained HTML page. */

import { createHash } from 'node:crypto';
import { formatCount, formatPlural } from '../../common/format.ts';
import { drawFollowing } from './follow-page.ts';
import { type Html, html, scriptElement, styleElement } from './html.ts';
import type { Report, Section } from './report.ts';
import { script } from './script.ts';
import { drawSection, drawState, type State } from './section-page.ts';
import { style } from './style.ts';

/** Every report begins with this, so that other files are not overwritten. */
export const opening = '<!doctype html>\n<!-- a report of mongo2pg -->\n';

export function writePage(report: Report): string {
  const title = `mongo2pg: ${describeSources(report)}`;
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${policy}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <link rel="icon" href="data:," />
      <title>${title}</title>
      ${styleElement(style)}
    </head>
    <body>
      <header>
        <h1>mongo2pg report ${drawState(describeState(report))}</h1>
        <p class="soft">
          ${describeCount(report.sections)} · written
          ${report.writtenAt.toISOString().slice(0, 19).replace('T', ' ')} UTC
        </p>
        ${report.failure === null ? html`` : html`<p class="failure">${report.failure}</p>`}
      </header>
      <main>
        ${report.following === null ? html`` : drawFollowing(report.following)}
        ${report.sections.map((section) => drawSection(section))} ${drawNotices(report.notices)}
      </main>
      ${scriptElement(script)}
    </body>
  </html> `;
  return opening + page.text;
}

/** The page may load nothing, and only this script may run: injected ones cannot. */
const policy = [
  "default-src 'none'",
  'img-src data:',
  "style-src 'unsafe-inline'",
  `script-src ${hashOf(script)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

function hashOf(code: string): string {
  return `'sha256-${createHash('sha256').update(code).digest('base64')}'`;
}

function describeSources({ sections, following }: Report): string {
  const [first, ...others] = sections;
  // A process that only follows may have copied no collection.
  if (first === undefined) return following?.latest.source ?? 'nothing copied';
  return others.length === 0 ? first.source : `${first.source} and ${formatCount(others.length)} more`;
}

function describeCount(sections: readonly Section[]): string {
  const documents = sections.reduce((total, section) => total + section.documents, 0);
  return `${formatPlural(sections.length, 'collection')} · ${formatPlural(documents, 'document')}`;
}

/** The result, consistent with the exit code. */
function describeState({ failure, sections }: Report): State {
  if (failure !== null) return { word: 'stopped', isGood: false };
  const failed = sections.filter(({ summary }) => summary === null).length;
  if (failed > 0) return { word: `${formatCount(failed)} failed`, isGood: false };
  const hasDeadLetters = sections.some(({ summary }) => summary !== null && summary.deadLettered > 0);
  return hasDeadLetters
    ? { word: 'complete, with dead letters', isGood: false }
    : { word: 'complete', isGood: true };
}

function drawNotices(notices: readonly string[]): Html {
  if (notices.length === 0) return html``;
  return html`<section>
    <h2>Notices</h2>
    <ul>
      ${notices.map((notice) => html`<li>${notice}</li>`)}
    </ul>
  </section>`;
}
