/** The style sheet of the report: light or dark like the reader's system, and printable. */

export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1a2030; --soft: #5b6475; --rule: #e2e5eb; --idle: #edeff3;
  --first: #2563c9; --second: #b8671a; --transcode: #e08a35; --load: #3b78d8; --ledger: #7c5fc4; --commit: #23937f;
  --hand-over: #c3c9d4; --good: #1b7f4d; --bad: #c0362c; --wash: #eaf1fc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1a1f28; --ink: #e7eaf0; --soft: #9aa4b5; --rule: #2b323f; --idle: #252b36;
    --first: #74a7ff; --second: #eba55c; --transcode: #e39a4d; --load: #5b93ec; --ledger: #a48be6; --commit: #3fb39c;
    --hand-over: #4a5364; --good: #55c48c; --bad: #f2776c; --wash: #1d2a41;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1140px; padding: 32px 24px 64px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif;
}
h1 { margin: 0; font-size: 22px; letter-spacing: -0.01em; }
h2 { margin: 0; font-size: 19px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h3 { margin: 28px 0 10px; font-size: 14px; }
p { margin: 4px 0 0; }
.soft { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
section { margin-top: 24px; padding: 24px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px; }
.state { display: inline-block; padding: 1px 10px; border-radius: 99px; font-size: 12px; font-weight: 600; border: 1px solid; vertical-align: 3px; margin-left: 6px; }
.state.good { color: var(--good); }
.state.bad { color: var(--bad); }
.failure { margin-top: 14px; padding: 10px 14px; border-left: 4px solid var(--bad); background: var(--page); overflow-wrap: anywhere; }
.bottleneck { margin-top: 18px; padding: 12px 16px; border-radius: 8px; background: var(--wash); }
.bottleneck b { display: block; font-size: 12px; color: var(--soft); font-weight: 600; }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px 24px; margin: 20px 0 0; }
dl.figures div { border-top: 2px solid var(--rule); padding-top: 8px; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-size: 22px; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
dd small { display: block; font-size: 13px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
.bar { display: grid; grid-template-columns: 84px minmax(0, 1fr); gap: 4px 12px; align-items: center; margin-top: 12px; font-size: 13px; }
.bar svg { display: block; width: 100%; height: 20px; border-radius: 4px; background: var(--idle); }
.legend { color: var(--soft); font-size: 12px; }
.bar .legend { grid-column: 2; }
.legend span { white-space: nowrap; margin-right: 14px; }
.legend span.note { display: block; white-space: normal; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px; vertical-align: -1px; }
figcaption .legend { float: right; }
figcaption .legend span { margin: 0 0 0 10px; }
.plots { display: grid; grid-template-columns: 1fr 1fr; gap: 22px 20px; margin-top: 12px; }
@media (max-width: 780px) { .plots { grid-template-columns: 1fr; } body { padding: 16px 10px; } section { padding: 16px 12px; } }
figure { margin: 0; }
.cell { min-width: 0; }
figure.wide { grid-column: 1 / -1; min-width: 0; overflow-x: auto; }
figure.wide svg { min-width: 700px; }
figcaption { font-size: 13px; }
.readout { color: var(--soft); margin-left: 6px; font-variant-numeric: tabular-nums; }
figure svg { display: block; width: 100%; height: auto; margin-top: 4px; overflow: visible; }
svg text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); }
svg line.phase { stroke: var(--soft); stroke-dasharray: 2 3; opacity: 0.7; }
svg .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
svg .line.first { stroke: var(--first); }
svg .line.second { stroke: var(--second); stroke-width: 1.2; opacity: 0.8; }
svg .area.first { fill: var(--first); opacity: 0.12; }
svg .cursor { stroke: var(--ink); opacity: 0.6; pointer-events: none; }
.plan, i.plan { fill: var(--hand-over); background: var(--hand-over); }
.transcode, i.transcode { fill: var(--transcode); background: var(--transcode); }
.load, i.load { fill: var(--load); background: var(--load); }
.ledger, i.ledger { fill: var(--ledger); background: var(--ledger); }
.commit, i.commit { fill: var(--commit); background: var(--commit); }
.hand-over, i.hand-over { fill: var(--hand-over); background: var(--hand-over); }
.idle, i.idle { fill: var(--idle); background: var(--idle); }
i.idle { outline: 1px solid var(--rule); outline-offset: -1px; }
i.first { background: var(--first); }
i.second { background: var(--second); }
.moment { display: flex; gap: 10px; align-items: center; font-size: 13px; color: var(--soft); margin-top: 4px; }
.moment input { flex: 1; max-width: 420px; accent-color: var(--first); }
.moment output { min-width: 9ch; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; font-size: 12px; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
details { margin-top: 20px; }
summary { cursor: pointer; font-size: 13px; color: var(--soft); }
ul { margin: 8px 0 0; padding-left: 20px; font-size: 13px; overflow-wrap: anywhere; }
@media print { body { padding: 0; background: none; } section { border: 0; padding: 0; break-inside: avoid-page; } .moment { display: none; } }
`;
