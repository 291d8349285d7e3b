import type { AuditedHop, AuditReport } from '../audit/index.js';
import { attributeText, type HarnessTrace } from '../trace/index.js';
import { escape, msText, timelineOf, type Timeline, type TimelineRecord, type TimelineRow } from './timeline.js';
import { STYLE } from './style.js';

/** A page that shows a trace on one time axis, its records and its hops. It loads nothing and runs no script. */
export function waterfallPage(trace: HarnessTrace, audit: AuditReport, title = 'Trace'): string {
  const timeline = timelineOf(trace);
  const problems = [...timeline.problems, ...audit.problems.map(({ hop, header, cause }) => `${hop}: ${header}: ${cause}`)];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escape(title)}</h1>
<p class="ids">trace <code>${escape(trace.traceId)}</code>${trace.requestId === undefined ? '' : ` · request <code>${escape(trace.requestId)}</code>`} · ${timeline.rows.length} spans · ${msText(timeline.totalMs)}</p>
${verdict(timeline, problems)}
<h2 id="spans">Spans</h2>${timeline.rows.length === 0 ? '<p>No spans were recorded.</p>' : spansSection(timeline)}
<h2 id="hops">Headers on each hop</h2>${audit.hops.length === 0 ? '<p>No hop was seen.</p>' : audit.hops.map(hopTable).join('\n')}
<h2 id="records">Records</h2>${recordsTable(timeline.records)}
</main></body></html>
`;
}

function verdict({ rows, problems: cuts }: Timeline, problems: readonly string[]): string {
  if (problems.length > 0) return `<section class="verdict bad"><p><strong>${cuts.length > 0 ? 'The trace is cut.' : 'A hop lost something.'}</strong></p><ul>${problems.map((problem) => `<li>${escape(problem)}</li>`).join('')}</ul></section>`;
  return rows.length === 0 ? '' : '<p class="verdict good"><strong>The trace is connected</strong>, and every header came through.</p>';
}

function spansSection({ rows, ticks }: Timeline): string {
  const axis = ticks.map(({ ms, left }) => `<span style="left:${percent(left)}">${msText(ms)}</span>`).join('');
  const lines = ticks.map(({ left }) => `<i style="left:${percent(left)}"></i>`).join('');
  return `<div class="axis" aria-hidden="true"><span class="name"></span><span class="track">${axis}</span><span class="time"></span></div>
<ol class="spans" aria-label="Spans, those inside others behind them">${rows.map((row) => spanRow(row, lines)).join('\n')}</ol>
<p class="legend" aria-hidden="true"><b class="bar server"></b> server <b class="bar client"></b> client <b class="bar internal"></b> internal <b class="bar failed"></b> error <b class="mark"></b> log record</p>`;
}

function spanRow({ span, depth, place, left, width, cut, records }: TimelineRow, lines: string): string {
  const kind = span.status === 'error' ? 'failed' : span.kind === 'server' || span.kind === 'client' ? span.kind : 'internal';
  const marks = records.filter(({ left: at }) => at !== undefined).map(({ left: at = 0 }) => `<b class="mark" style="left:${percent(at)}"></b>`).join('');
  const facts: [string, string][] = [
    ['span', span.spanId], ['parent', span.parentSpanId ?? 'none'], ['kind', span.kind], ['status', `${span.status} ${span.statusMessage ?? ''}`],
    ...(span.service === undefined ? [] : [['service', span.service] as [string, string]]),
    ...span.events.map(({ name, timeMs }): [string, string] => [`event +${msText(timeMs - span.startMs)}`, name]),
    ...Object.entries(span.attributes).map(([key, value]): [string, string] => [key, attributeText(value)]),
  ];
  const spoken = `<span class="spoken">, ${depth} above it, ${escape(span.kind)}, ${span.status === 'error' ? 'failed, ' : ''}${msText(span.durationMs)}</span>`;
  return `<li>${cut === undefined ? '' : `<p class="cut">✂ Cut here: ${escape(cut)}</p>`}<details><summary><span class="name" style="padding-left:${depth * 1.2}em">${escape(span.name)}${place === undefined ? '' : ` <small>${escape(place)}</small>`}${spoken}</span>`
    + `<span class="track" aria-hidden="true">${lines}<b class="bar ${kind}" style="left:${percent(left)};width:max(2px,${percent(width)})"></b>${marks}</span><span class="time" aria-hidden="true">${msText(span.durationMs)}</span></summary>`
    + `<table>${facts.map(([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`).join('')}</table></details></li>`;
}

function hopTable({ name, sent, received, problems }: AuditedHop): string {
  const headers = [...new Set([...Object.keys(sent ?? {}), ...Object.keys(received ?? {}), ...problems.map(({ header }) => header)])];
  const rows = headers.map((header) => {
    const problem = problems.find((each) => each.header === header);
    return `<tr><th scope="row">${escape(header)}</th><td>${value(sent, header)}</td><td>${value(received, header)}</td><td class="${problem === undefined ? 'good' : 'bad'}">${problem === undefined ? '✓ same' : `✗ ${escape(problem.cause)}`}</td></tr>`;
  });
  const body = rows.length === 0 ? '<tr><td colspan="4">It carried none of the trace headers.</td></tr>' : rows.join('');
  return `<table class="list"><caption>${escape(name)}</caption><thead><tr><th scope="col">header</th><th scope="col">sent</th><th scope="col">received</th><th scope="col">result</th></tr></thead><tbody>${body}</tbody></table>`;
}

function value(headers: AuditedHop['sent'], name: string): string {
  return headers === undefined ? '<em>not seen</em>' : headers[name] === undefined ? '<em>absent</em>' : escape(headers[name]);
}

function recordsTable(records: readonly TimelineRecord[]): string {
  if (records.length === 0) return '<p>No records were written.</p>';
  const rows = records.map(({ record: { level, service, message, fields }, afterMs }) => {
    const pairs = Object.entries(fields).filter(([, field]) => field !== undefined).map(([key, field]) => `${key}=${attributeText(field as never)}`);
    return `<tr><td>${afterMs === undefined ? '' : `${afterMs < 0 ? '−' : '+'}${msText(Math.abs(afterMs))}`}</td><td class="${level === 'error' ? 'bad' : level === 'warn' ? 'warn' : ''}">${escape(level)}</td><td>${escape(service ?? '')}</td><td>${escape(message)}</td><td>${escape(pairs.join(' '))}</td></tr>`;
  });
  return `<table class="list records"><caption>In the order of time; times are from the first span's begin.</caption><thead><tr>${['time', 'level', 'service', 'message', 'fields'].map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

const percent = (part: number): string => `${(part * 100).toFixed(2)}%`;
