/** The page's style: light and dark by the reader's setting, colours with a contrast of at least 4.5 to 1 for text. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--text:#1f2328;--muted:#59636e;--line:#d1d9e0;--soft:#f6f8fa;--server:#1a7f37;--client:#0969da;--internal:#8250df;--bad:#cf222e;--warn:#9a6700}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#f0f6fc;--muted:#9198a1;--line:#3d444d;--soft:#151b23;--server:#3fb950;--client:#4493f8;--internal:#ab7df8;--bad:#f85149;--warn:#d29922}}
body{font:14px/1.5 system-ui,sans-serif;margin:0;color:var(--text);background:var(--page)}main{max-width:1200px;margin:0 auto;padding:2em 1em}
h1{font-size:1.4em;margin:0}h2{font-size:1.1em;margin:2em 0 .6em}.ids,.legend,small,caption{color:var(--muted)}code,td{font-family:ui-monospace,monospace;font-size:12px}small{font-size:12px;margin-left:.5em}
.verdict{border-left:4px solid var(--server);background:var(--soft);padding:.6em 1em;margin:1em 0;border-radius:0 6px 6px 0}.verdict.bad{border-color:var(--bad)}.verdict p,.verdict ul{margin:.2em 0}
.good{color:var(--server)}.bad{color:var(--bad)}.warn{color:var(--warn)}.verdict,.verdict li{color:var(--text)}
.axis,summary{display:flex;gap:1em;align-items:center;padding:.3em .8em}.axis{font-size:12px;color:var(--muted);padding-bottom:0}.axis .track{height:1.4em}.axis .track span{position:absolute;transform:translateX(-50%);white-space:nowrap}.axis .track span:first-child{transform:none}
.spans{list-style:none;margin:0;padding:0;border:1px solid var(--line);border-radius:6px;overflow:hidden}.spans li+li{border-top:1px solid var(--line)}summary{cursor:pointer;list-style:none}summary::-webkit-details-marker{display:none}
summary:hover{background:var(--soft)}summary:focus-visible{outline:2px solid var(--client);outline-offset:-2px}.name{box-sizing:border-box;flex:none;width:34%;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.track{position:relative;flex:1;height:16px}
.track i{position:absolute;top:-6px;bottom:-6px;border-left:1px solid var(--line)}.bar{position:absolute;top:1px;height:14px;border-radius:3px;background:var(--internal)}.bar.server{background:var(--server)}.bar.client{background:var(--client)}.bar.failed{background:var(--bad)}
.mark{position:absolute;top:4px;width:6px;height:6px;margin-left:-4px;border-radius:50%;background:var(--page);border:1px solid var(--text)}.legend b{position:static;display:inline-block;width:12px;height:12px;margin:0 .2em 0 1em;vertical-align:-1px}.legend .mark{width:6px;height:6px}
.time{flex:none;width:5em;text-align:right;font-variant-numeric:tabular-nums}.cut{margin:0;padding:.4em .8em;color:var(--bad);border-top:2px dashed var(--bad)}.spoken{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table{border-collapse:collapse;margin:.2em 1.4em 1em;max-width:100%}th{text-align:left;font-weight:500;color:var(--muted);padding:.15em 1.5em .15em 0;vertical-align:top}td{overflow-wrap:anywhere;padding:.15em 1em .15em 0;vertical-align:top}
.list{width:100%;margin:0 0 1.5em}.list caption{text-align:left;padding-bottom:.3em}.list tbody tr{border-top:1px solid var(--line)}.list td:first-child{white-space:nowrap}.records td:nth-child(4){min-width:11em}
@media (max-width:700px){.name{width:48%}.list,.list thead,.list tbody{display:block;overflow-x:auto}}
@media print{details>*{display:block}}
`;
