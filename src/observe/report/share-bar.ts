/** Draws the parts of a whole as a bar with a legend. */

import { type Html, html } from './html.ts';
import { round } from './time-frame.ts';

export interface Share {
  readonly name: string;
  /** Its colour: a class of the style sheet. */
  readonly kind: 'plan' | 'transcode' | 'ledger' | 'load' | 'commit' | 'hand-over' | 'idle';
  /** 0 to 1. */
  readonly share: number;
  /** Text for people. */
  readonly amount: string;
}

const width = 1000;

export function drawBar(title: string, shares: readonly Share[], note: string): Html {
  let x = 0;
  const parts = shares.map(({ kind, share, name, amount }) => {
    const left = x;
    x += share * width;
    return html`<rect class="${kind}" x="${round(left)}" y="0" width="${round(share * width)}" height="20"
      ><title>${name} ${amount}</title></rect
    >`;
  });
  const spoken = `${title}: ${shares.map(({ name, amount }) => `${name} ${amount}`).join(', ')}`;
  return html`<div class="bar">
    <b>${title}</b
    ><svg viewBox="0 0 ${width} 20" preserveAspectRatio="none" role="img" aria-label="${spoken}">
      ${parts}
    </svg>
    <p class="legend">
      ${shares.map(({ kind, name, amount }) => html`<span><i class="${kind}"></i>${name} ${amount}</span>`)}
      <span class="note">${note}</span>
    </p>
  </div>`;
}
