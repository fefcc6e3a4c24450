/** The style sheet of the live page: that of the report, with additions. */

import { style as reportStyle } from '../report/style.ts';

export const style = `${reportStyle}
[hidden] { display: none; }
figure { min-width: 0; }
#speed:has(+ #lag[hidden]) { grid-column: 1 / -1; }
.uplot { width: 100%; }
.u-legend { color: var(--soft); font-size: 12px; }
.state.neutral { color: var(--soft); }
#cut-over.good { color: var(--good); }
#cut-over.bad { color: var(--bad); }
td progress { width: 120px; accent-color: var(--first); vertical-align: middle; }
td.name { white-space: normal; overflow-wrap: anywhere; min-width: 140px; }
td small { color: var(--soft); display: block; white-space: normal; overflow-wrap: anywhere; }
tr.gone td { color: var(--soft); text-decoration: line-through; }
`;
