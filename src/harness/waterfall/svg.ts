import type { HarnessTrace } from '../trace/index.js';
import { escape, msText, timelineOf, type TimelineRow } from './timeline.js';

/** Lengths in pixels. */
const WIDTH = 960;
const LABELS = 400;
const TIMES = 80;
const ROW = 30;
const HEAD = 64;
const TRACK = WIDTH - LABELS - TIMES;
const INDENT = 16;
/** A label is cut to this many characters. */
const MAX_LABEL = 46;

/** Colours on white and on GitHub's dark background, each with a contrast of at least 4.5 to 1 for text and 3 to 1 for bars. */
const STYLE = `
.page{fill:#fff}.text{fill:#1f2328}.muted{fill:#59636e}.line{stroke:#d1d9e0}.server{fill:#1a7f37}.client{fill:#0969da}.internal{fill:#8250df}.error{fill:#cf222e}.mark{fill:#fff;stroke:#1f2328}.cut{stroke:#cf222e}.bad{fill:#cf222e}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#f0f6fc}.muted{fill:#9198a1}.line{stroke:#3d444d}.server{fill:#3fb950}.client{fill:#4493f8}.internal{fill:#ab7df8}.error{fill:#f85149}.mark{fill:#0d1117;stroke:#f0f6fc}.cut{stroke:#f85149}.bad{fill:#f85149}}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif}.small{font-size:11px}.title{font-size:15px;font-weight:600}`;

/** A trace as a picture that stands for itself: SVG without scripts, fonts or links, readable on light and dark backgrounds. */
export function waterfallSvg(trace: HarnessTrace, title: string): string {
  const { rows, ticks, totalMs, problems } = timelineOf(trace);
  const height = HEAD + Math.max(rows.length, 1) * ROW + 40;
  const x = (part: number): string => (LABELS + part * TRACK).toFixed(1);
  const axis = ticks.map(({ ms, left }) => `<line class="line" x1="${x(left)}" x2="${x(left)}" y1="${HEAD - 6}" y2="${height - 34}"/><text class="muted small" x="${x(left)}" y="${HEAD - 12}">${msText(ms)}</text>`);
  const summary = `${rows.length} spans, ${msText(totalMs)}, ${problems.length === 0 ? 'one connected trace' : problems.join('; ')}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">${escape(title)}</title><desc id="desc">${escape(`${summary}. ${rows.map(sentence).join(' ')}`)}</desc><style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="8"/><text class="text title" x="16" y="28">${escape(title)}</text><text class="${problems.length === 0 ? 'muted' : 'bad'} small" x="16" y="${HEAD - 12}">${escape(shortened(summary, 60))}</text>
${axis.join('')}
${rows.length === 0 ? `<text class="muted" x="16" y="${HEAD + 20}">No spans were recorded.</text>` : rows.map((row, i) => drawn(row, HEAD + i * ROW, x)).join('\n')}
<g transform="translate(16 ${height - 14})">${['server', 'client', 'internal', 'error'].map((kind, i) => `<rect class="${kind}" x="${i * 90}" y="-9" width="10" height="10" rx="2"/><text class="muted small" x="${i * 90 + 16}" y="0">${kind}</text>`).join('')}<circle class="mark" cx="365" cy="-4" r="4"/><text class="muted small" x="376" y="0">log record</text></g>
</svg>
`;
}

function drawn({ span, depth, place, left, width, cut, records }: TimelineRow, y: number, x: (part: number) => string): string {
  const indent = 16 + depth * INDENT;
  const name = shortened(span.name, MAX_LABEL - depth * 2);
  const where = place === undefined ? '' : `<tspan class="muted small" dx="8">${escape(shortened(place, Math.max(MAX_LABEL - depth * 2 - name.length, 8)))}</tspan>`;
  const marks = records.filter(({ left: at }) => at !== undefined).map(({ left: at = 0 }) => `<circle class="mark" cx="${x(at)}" cy="${y + 13}" r="4"/>`);
  const bar = `<rect class="${span.status === 'error' ? 'error' : barClass(span.kind)}" x="${x(left)}" y="${y + 6}" width="${Math.max(width * TRACK, 2).toFixed(1)}" height="14" rx="3"/>`;
  const line = cut === undefined ? '' : `<line class="cut" x1="16" x2="${WIDTH - 16}" y1="${y - 1}" y2="${y - 1}" stroke-dasharray="6 4"/>`;
  return `${line}<text class="${cut === undefined ? 'text' : 'bad'}" x="${indent}" y="${y + 18}">${escape(name)}${where}</text>${bar}${marks.join('')}<text class="muted small" text-anchor="end" x="${WIDTH - 16}" y="${y + 17}">${msText(span.durationMs)}</text>`;
}

const barClass = (kind: string): string => (kind === 'server' || kind === 'client' ? kind : 'internal');

function sentence({ span, place, cut }: TimelineRow): string {
  return `${span.name}${place === undefined ? '' : ` of ${place}`} takes ${msText(span.durationMs)}${cut === undefined ? '' : `; the trace is cut here: ${cut}`}.`;
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
