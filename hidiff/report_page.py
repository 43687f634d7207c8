"""The report as one HTML page: style inside, pictures as base64 PNG, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure

_DPI = 150


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """A picture of the report with the words around it."""

    draw: Callable[[], Figure]
    """Makes the picture; called when its turn comes, so that one picture at a time is in memory."""
    caption: str
    alt: str
    """What a reader who cannot see the picture should know."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, what it shows, and its pictures; without pictures the text says why."""

    title: str
    text: str
    figures: Sequence[ReportFigure] = ()
    table: str = ""
    """HTML put before the pictures."""


def page_html(title: str, lead: str, summary: str, sections: Iterable[Section], foot: str) -> str:
    """The whole page; pictures are drawn here, one by one. ``summary`` and tables are HTML, the rest text."""
    links, body = [], []
    for section in sections:
        links.append(f'<li><a href="#{_anchor(section)}">{escape(section.title)}</a></li>')
        body.append(_section_html(section))
    return _PAGE.format(
        title=escape(title), style=_STYLE, lead=escape(lead), summary=summary, links="".join(links),
        body="\n".join(body), foot=escape(foot),
    )  # fmt: skip


def _anchor(section: Section) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in section.title.lower())


def _section_html(section: Section) -> str:
    pictures = "".join(_picture_html(picture) for picture in section.figures)
    return (
        f'<section id="{_anchor(section)}"><h2>{escape(section.title)}</h2><p>{escape(section.text)}</p>'
        f"{section.table}{pictures}</section>"
    )


def _picture_html(picture: ReportFigure) -> str:
    buffer = io.BytesIO()
    figure = picture.draw()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    width, height = (round(inches * _DPI) for inches in figure.get_size_inches())
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(picture.alt)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{data}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1080px; padding: 2.2rem 1.6rem 3rem; background: #fff; color: #222;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .3rem; padding-top: .9rem; border-top: 1px solid #d9dce0; }
p { max-width: 46rem; margin: .3rem 0 .9rem; }
.lead { font-size: 1.08rem; color: #444; }
.note { font-size: .88rem; color: #555; }
nav ul { list-style: none; padding: 0; margin: 1.2rem 0 0; display: flex; flex-wrap: wrap;
  gap: .2rem 1.3rem; }
a { color: #0b5a92; }
table { border-collapse: collapse; margin: 1.1rem 0; font-variant-numeric: tabular-nums; font-size: .94rem; }
th, td { padding: .32rem .9rem .32rem 0; text-align: right; border-bottom: 1px solid #e8eaed;
  white-space: nowrap; }
thead th { color: #555; font-weight: 600; }
tbody th { text-align: left; font-weight: 400; padding-right: 2rem; }
.ours { font-weight: 650; padding-right: 2.2rem; }
figure { margin: 1.1rem 0 1.8rem; break-inside: avoid; }
img { width: 100%; height: auto; display: block; }
figcaption { color: #555; font-size: .9rem; margin-top: .35rem; }
footer { margin-top: 3rem; padding-top: .9rem; border-top: 1px solid #d9dce0; color: #555;
  font-size: .86rem; }
@media (max-width: 700px) { body { padding: 1.2rem 1rem 2rem; }
  figure { overflow-x: auto; } figure img { width: 720px; max-width: none; } }
@media print { body { max-width: none; padding: 0; font-size: 11px; } nav { display: none; }
  h2 { break-after: avoid; } @page { margin: 14mm; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
<header><h1>{title}</h1><p class=lead>{lead}</p></header>
{summary}
<nav><ul>{links}</ul></nav>
{body}
<footer>{foot}</footer>
</body></html>
"""
