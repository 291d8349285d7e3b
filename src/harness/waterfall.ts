import { attributeText, treeRows, type HarnessTrace } from './trace/index.js';
import type { AuditReport } from './audit/index.js';
import type { CapturedRecord } from './record/index.js';

/** A page that shows a trace as a waterfall, its records and its hops. Needs nothing from anywhere, runs no script. */
export function waterfallHtml(trace: HarnessTrace, audit: AuditReport, title = 'Trace'): string {
  const rows = treeRows(trace.roots);
  const start = Math.min(...trace.spans.map(({ startMs }) => startMs));
  const total = Math.max(...trace.spans.map(({ startMs, durationMs }) => startMs + durationMs)) - start || 1;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><h1>${escape(title)}</h1>
<p class="ids">trace <code>${escape(trace.traceId)}</code>${trace.requestId === undefined ? '' : ` · request <code>${escape(trace.requestId)}</code>`} · ${trace.spans.length} spans · ${trace.spans.length === 0 ? 0 : total.toFixed(1)} ms</p>
<section class="spans">${rows.length === 0 ? '<p>No spans were recorded.</p>' : rows.map((row) => spanRow(row, start, total)).join('\n')}</section>
<h2>Hops</h2><pre>${escape(audit.toString())}</pre>
<h2>Records</h2>${recordsTable(trace.records)}
</body></html>
`;
}

function spanRow({ span, depth }: ReturnType<typeof treeRows>[number], start: number, total: number): string {
  const left = ((span.startMs - start) / total) * 100;
  const width = Math.max((span.durationMs / total) * 100, 0.3);
  const attributes = Object.entries(span.attributes).map(([key, value]) => `<tr><th>${escape(key)}</th><td>${escape(attributeText(value))}</td></tr>`).join('');
  const facts = `<tr><th>span</th><td>${escape(span.spanId)}</td></tr><tr><th>parent</th><td>${escape(span.parentSpanId ?? 'none')}</td></tr><tr><th>kind</th><td>${span.kind}</td></tr><tr><th>status</th><td>${span.status} ${escape(span.statusMessage ?? '')}</td></tr>${span.service === undefined ? '' : `<tr><th>service</th><td>${escape(span.service)}</td></tr>`}`;
  const events = span.events.map(({ name, timeMs }) => `<tr><th>event +${(timeMs - span.startMs).toFixed(1)} ms</th><td>${escape(name)}</td></tr>`).join('');
  return `<details><summary><span class="name" style="padding-left:${depth * 1.2}em">${escape(span.name)}</span><span class="track"><span class="bar ${span.status === 'error' ? 'error' : span.kind}" style="left:${left.toFixed(2)}%;width:${Math.min(width, 100 - left).toFixed(2)}%"></span></span><span class="time">${span.durationMs.toFixed(1)} ms</span></summary><table>${facts}${events}${attributes}</table></details>`;
}

function recordsTable(records: readonly CapturedRecord[]): string {
  if (records.length === 0) return '<p>No records were written.</p>';
  const rows = records.map(({ level, message, fields }) => `<tr><td class="${escape(level)}">${escape(level)}</td><td>${escape(message)}</td><td>${escape(Object.entries(fields).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${attributeText(value as never)}`).join(' '))}</td></tr>`);
  return `<table class="records">${rows.join('\n')}</table>`;
}

const STYLE = `
body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#1b1f24;background:#fff}
h1{font-size:1.3em;margin:0}h2{font-size:1em;margin:2em 0 .5em}.ids{color:#57606a}code,pre,td{font-family:ui-monospace,monospace;font-size:12px}
.spans{border:1px solid #d0d7de;border-radius:6px}details+details{border-top:1px solid #eaeef2}summary{display:flex;gap:1em;align-items:center;padding:.35em .8em;cursor:pointer;list-style:none}
summary:hover{background:#f6f8fa}.name{box-sizing:border-box;flex:none;width:28%;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.track{position:relative;flex:1;height:14px;background:#f6f8fa;border-radius:3px}
.bar{position:absolute;top:0;height:14px;border-radius:3px;background:#8c959f}.bar.server{background:#2da44e}.bar.client{background:#0969da}.bar.internal{background:#8250df}.bar.error{background:#cf222e}
.time{width:6em;text-align:right;font-variant-numeric:tabular-nums}table{border-collapse:collapse;margin:.3em 1em .8em}th{text-align:left;font-weight:500;color:#57606a;padding-right:1.5em;vertical-align:top}
td{word-break:break-all;padding-right:1em;vertical-align:top}.records{margin:0}.records td{padding:.15em 1em .15em 0}.records td:not(:last-child){white-space:nowrap;word-break:normal}.error{color:#cf222e}.warn{color:#9a6700}pre{white-space:pre-wrap;word-break:break-all;background:#f6f8fa;padding:.8em;border-radius:6px}
`;

/** Text of requests goes into the page: nothing of it may be markup. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
