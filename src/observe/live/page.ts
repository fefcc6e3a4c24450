/** The live page: one HTML file that loads nothing else; its script fills it. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { html, scriptElement, styleElement } from '../report/html.ts';
import { script } from './script.ts';
import { style } from './style.ts';

/** The script and the styles of the plot library, from its package. */
let plots: Promise<{ readonly script: string; readonly style: string }> | undefined;

/** @param nonce the one in the response's policy: scripts without it do not run, so injected ones cannot */
export async function writeLivePage(nonce: string): Promise<string> {
  plots ??= readPlots();
  const uplot = await plots;
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <link rel="icon" href="data:," />
      <title>mongo2pg</title>
      ${styleElement(uplot.style, nonce)} ${styleElement(style, nonce)}
    </head>
    <body>
      <header>
        <h1>mongo2pg <span id="state" class="state" role="status">connecting</span></h1>
        <p id="place" class="soft"></p>
      </header>
      <noscript><p class="failure">This page needs JavaScript.</p></noscript>
      <section id="following" hidden>
        <h2 id="cut-over"></h2>
        <ul id="obstacles"></ul>
      </section>
      <section>
        <dl id="figures" class="figures"></dl>
        <div class="plots">
          <figure id="speed">
            <figcaption>Speed</figcaption>
          </figure>
          <figure id="lag" hidden><figcaption>Lag</figcaption></figure>
          <figure id="journal" hidden><figcaption>Changes that wait</figcaption></figure>
        </div>
      </section>
      <section>
        <h2>Collections</h2>
        <div class="scroll"><table id="collections"></table></div>
        <p id="more-collections" class="soft"></p>
      </section>
      <section>
        <h2>Workers</h2>
        <div class="scroll"><table id="workers"></table></div>
        <p id="more-workers" class="soft"></p>
      </section>
      <section id="notices" hidden>
        <h2>Notices</h2>
        <ul></ul>
      </section>
      ${scriptElement(uplot.script, nonce)} ${scriptElement(script, nonce)}
    </body>
  </html> `;
  return `<!doctype html>\n${page.text}`;
}

/** The value of the header `Content-Security-Policy`. */
export function policyOf(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function readPlots(): Promise<{ script: string; style: string }> {
  const read = (file: string): Promise<string> =>
    readFile(fileURLToPath(import.meta.resolve(`uplot/dist/${file}`)), 'utf8');
  const [code, rules] = await Promise.all([read('uPlot.iife.min.js'), read('uPlot.min.css')]);
  return { script: code, style: rules };
}
