"""SVG: a drawn graph as a file of its own, which any browser and editor opens."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from deltaworks.web.draw.layered import Layered, Sizes, curve

_MARGIN = 16
_TEXT_WIDTH = 7.2
"""Of a character, about: names that are longer than their box are cut."""

_INK, _QUIET, _LINE, _PAPER, _BOX, _CHOSEN = "#171b22", "#4a5361", "#c5ccd6", "#ffffff", "#f6f7f9", "#3b55d9"


def graph_svg(drawn: Layered, words: Mapping[str, str], chosen: str | None = None, sizes: Sizes | None = None) -> str:
    """Return a picture of a graph.

    Args:
        drawn: where everything is.
        words: what stands below the name of each node.
        chosen: the node that stands out.
        sizes: those with which it was drawn; none: those of the pages.
    """
    sizes = sizes or Sizes()
    width, height = drawn.width + 2 * _MARGIN, drawn.height + 2 * _MARGIN
    most = int((sizes.width - 20) / _TEXT_WIDTH)
    lines = [f'<path d="{curve(points)}"/>' for points in drawn.lines.values()]
    nodes = [
        f'<g transform="translate({x:.0f} {y:.0f})"><title>{escape(name)}</title>'
        f'<rect width="{sizes.width:.0f}" height="{sizes.height:.0f}" rx="6" fill="{_BOX}" '
        f'stroke="{_CHOSEN if name == chosen else _LINE}"/>'
        f'<text x="10" y="19" font-weight="600" fill="{_INK}">{escape(_cut(name, most))}</text>'
        f'<text x="10" y="35" fill="{_QUIET}">{escape(_cut(words.get(name, ""), most))}</text></g>'
        for name, (x, y) in drawn.nodes.items()
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="Inter, Segoe UI, Liberation Sans, Arial, sans-serif" '
            'font-size="12">',
            f'<rect width="100%" height="100%" fill="{_PAPER}"/>',
            f'<g transform="translate({_MARGIN} {_MARGIN})">',
            f'<g fill="none" stroke="{_LINE}" stroke-width="1.5">',
            *lines,
            "</g>",
            *nodes,
            "</g>",
            "</svg>\n",
        ]
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
