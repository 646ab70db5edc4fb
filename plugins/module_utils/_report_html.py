# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the report about schedules as one HTML page that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from ._report import MARKS, OUTCOMES, Overview, Row, web_address
from ._text import clean

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d8dee4; --link: #0a58ca;
  --good: #1a7f37; --bad: #cf222e; --note: #8a5a00; --none: #6e7781;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0d1117; --card: #161b22; --text: #e6edf3; --quiet: #9198a1; --line: #30363d; --link: #6cb0ff;
    --good: #3fb950; --bad: #ff6a61; --note: #d9a126; --none: #8b949e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
p { margin: .25rem 0; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
.quiet { color: var(--quiet); font-size: .875rem; }
.summary { font-size: 1.05rem; }
.text, th, td { overflow-wrap: anywhere; }
ul.reasons { margin: 0; padding: 0; list-style: none; }
ul.reasons li {
  margin: .35rem 0; padding: .5rem .9rem; background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--bad); border-radius: 6px; overflow-wrap: anywhere;
}
ul.reasons.also li { border-left-color: var(--note); }
table {
  width: 100%; margin-top: 1.5rem; border: 1px solid var(--line); border-radius: 8px; border-spacing: 0;
  background: var(--card);
}
caption { padding: 0 0 .5rem; font-weight: 600; text-align: left; }
th, td { padding: .55rem .75rem; text-align: left; vertical-align: middle; }
td { font-size: .925rem; }
thead th { color: var(--quiet); font-size: .8rem; font-weight: 600; }
tbody th { font-weight: 600; }
tbody th, tbody td { border-top: 1px solid var(--line); }
.health { font-weight: 600; white-space: nowrap; }
.health::before {
  content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .45em; border-radius: 50%;
  background: currentcolor;
}
.health.bad::before { border-radius: 0; }
.good { color: var(--good); } .bad { color: var(--bad); } .note { color: var(--note); }
.runs { display: flex; gap: 2px; margin: 0; padding: 0; list-style: none; }
.runs li { flex: 0 1 9px; min-width: 5px; }
.run { display: block; text-align: center; text-decoration: none; }
.space { display: flex; align-items: flex-end; height: 30px; }
.bar { width: 100%; min-height: 3px; border-radius: 2px 2px 0 0; background: var(--none); }
.mark { display: block; color: var(--quiet); font: 12px/1.1 ui-monospace, monospace; }
.succeeded { background: var(--good); } .partial { background: var(--note); } .failed { background: var(--bad); }
.run:hover .bar { filter: brightness(1.25); }
.legend { margin-top: .75rem; }
.legend span { white-space: nowrap; margin-right: 1rem; }
.key {
  display: inline-block; width: 9px; height: 9px; margin-right: .35em; border-radius: 2px; background: var(--none);
}
.key.succeeded { background: var(--good); } .key.partial { background: var(--note); }
.key.failed { background: var(--bad); }
.legend code { color: var(--text); font: inherit; font-family: ui-monospace, monospace; }
.hidden {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
footer { margin-top: 2rem; }
@media (max-width: 56rem) {
  main { padding: 1.25rem .75rem; }
  table, tbody, tr, th, td, caption { display: block; }
  table { border: 0; background: none; }
  tbody td { font-size: 1rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr {
    margin: .75rem 0; padding: .6rem .9rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  }
  tbody th, tbody td { padding: .2rem 0; border: 0; }
  tbody th { font-size: 1.05rem; }
  tbody td[data-label]::before { content: attr(data-label) " "; color: var(--quiet); font-size: .875rem; }
  .runs li { flex-grow: 1; max-width: 14px; }
}
@media print { body { background: none; } }
"""


def page(overview: Overview) -> str:
    """Return the report as a page: light or dark as the browser wants it, without scripts, and without the network."""
    title, summary = _text(overview.title), _text(overview.summary())
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            # The page loads nothing, whatever a name in it may be.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            'img-src data:">',
            '<link rel="icon" href="data:,">',
            f"<title>{title}: {summary}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<header><h1 class=text>{title}</h1>",
            f'<p class="summary text">{summary}.</p></header>',
            *_reasons(overview),
            *(_table(overview) if overview.rows else ()),
            *(_legend() if overview.has_runs else ()),
            f'<footer class=quiet>Report of <time datetime="{overview.times.now.isoformat(timespec="seconds")}">'
            f"{_text(overview.times.made())}</time></footer>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _reasons(overview: Overview) -> Iterator[str]:
    """Yield what is wrong, and what else there is to know."""
    problems = []
    for row in overview.unwell:
        name = clean(row.name)
        problems.append(f"<strong>{escape(name)}</strong>{escape(overview.problem(row)[len(name) :])}")
    for title, kind, sentences in (
        ("What is wrong", "wrong", problems),
        ("Also", "also", list(map(_text, overview.remarks()))),
    ):
        if sentences:
            yield f'<section aria-labelledby="{kind}"><h2 id="{kind}">{title}</h2>'
            yield f'<ul class="reasons {kind}" role=list>'
            yield from (f"<li>{sentence}</li>" for sentence in sentences)
            yield "</ul></section>"


def _table(overview: Overview) -> Iterator[str]:
    # On a phone, each row is a card. The browser then needs the roles, because the cells do not look like a table.
    yield "<table role=table><caption>Schedules</caption>"
    heads = ("Schedule", "Health", "Next run", "Last run", f"Last {overview.history} runs")
    yield "<thead role=rowgroup><tr role=row>"
    yield from (f'<th scope="col" role=columnheader>{head}</th>' for head in heads)
    yield "</tr></thead><tbody role=rowgroup>"
    for row in overview.rows:
        yield "<tr role=row>"
        yield f'<th scope="row" role=rowheader>{_link(_text(row.name), row.url)}</th>'
        yield f'<td role=cell><span class="health {_tone(row)}">{_text(row.label)}</span></td>'
        yield f'<td role=cell data-label="Next run">{_told(overview.next_run(row))}</td>'
        last = _link(_told(overview.last_run(row)), row.last_run["url"] if row.last_run else "")
        yield f'<td role=cell data-label="Last run">{last}</td>'
        yield f"<td role=cell>{''.join(_runs(overview, row))}</td></tr>"
    yield "</tbody></table>"


def _runs(overview: Overview, row: Row) -> Iterator[str]:
    """Yield the bars of the runs of a schedule. The longest run has the highest bar."""
    if not row.runs:
        yield "<span class=quiet>no runs</span>"
        return
    longest = max(run["duration"] or 0 for run in row.runs) or 1
    yield f'<ol class=runs role=list aria-label="Runs of {_text(row.name)}, the oldest first">'
    for run in reversed(row.runs):
        outcome = run["outcome"] if run["outcome"] in MARKS else "unknown"
        told, height = _text(overview.run(run)), round(100 * (run["duration"] or 0) / longest)
        column = (
            f'<span class=space><span class="bar {outcome}" style="height:{height}%"></span></span>'
            f'<span class=mark aria-hidden="true">{MARKS[outcome]}</span><span class=hidden>{told}</span>'
        )
        attributes = f' class=run title="{told}"'
        yield f"<li>{_link(column, run['url'], attributes)}</li>"
    yield "</ol>"


def _legend() -> Iterable[str]:
    keys = "".join(
        f'<span><i class="key {outcome}"></i><code>{mark}</code> {OUTCOMES[outcome]}</span>'
        for outcome, mark in MARKS.items()
    )
    return (f'<p class="legend quiet">Runs, the newest on the right; the height is the duration. {keys}</p>',)


def _tone(row: Row) -> str:
    return "bad" if not row.is_well else "good" if row.label == "ok" else "note"


def _link(content: str, url: str, attributes: str = "") -> str:
    """Return a link to a web page, or the same without the link if there is no page."""
    address = web_address(url)
    if address:
        return f'<a href="{escape(address)}"{attributes}>{content}</a>'
    return f"<span{attributes}>{content}</span>" if attributes else content


def _told(text: str) -> str:
    """Return when a schedule runs, or what came of a run. The line does not break within the outcome."""
    when, colon, outcome = text.rpartition(": ")
    return f"{_text(when)}{colon}{_text(outcome).replace(' ', '&nbsp;')}" if colon else _text(text)


def _text(text: str) -> str:
    return escape(clean(text)).replace(" UTC)", "&nbsp;UTC)")
