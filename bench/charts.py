"""Charts of our own drawing: bars beside each other in panels, as SVG that any browser shows without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, MARGIN = 760, 20
LABEL, BAR, GAP, HEAD = 300, 18, 8, 34
VALUE = 110
"""How much is kept free behind the longest bar, for what it says."""
INK, QUIET, PAPER, OURS, OTHERS, WRONG = "#171b22", "#4a5361", "#ffffff", "#3b55d9", "#c5ccd6", "#b3372f"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value; one that is wrong has a word in the place of its bar."""

    label: str
    value: float
    says: str
    is_ours: bool = False
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Values of one kind; the longest bar is as wide as there is room for."""

    title: str
    bars: Sequence[Bar]


def chart(title: str, panels: Sequence[Panel]) -> str:
    """Return a picture of panels, one below the other."""
    lines: list[str] = []
    top = MARGIN
    for panel in panels:
        lines += _panel(panel, top)
        top += HEAD + len(panel.bars) * (BAR + GAP) + GAP
    height = top + MARGIN - GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="Inter, Segoe UI, Liberation Sans, Arial, sans-serif" '
            'font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel, top: float) -> list[str]:
    longest = max((bar.value for bar in panel.bars if not bar.is_wrong), default=0.0) or 1.0
    room = WIDTH - 2 * MARGIN - LABEL - VALUE
    lines = [f'<text x="{MARGIN}" y="{top + 14}" font-weight="600" fill="{INK}">{escape(panel.title)}</text>']
    for place, bar in enumerate(panel.bars):
        y = top + HEAD - GAP + place * (BAR + GAP)
        lines.append(f'<text x="{MARGIN}" y="{y + 13}" fill="{QUIET}">{escape(bar.label)}</text>')
        width = 0.0 if bar.is_wrong else max(2.0, room * bar.value / longest)
        x = MARGIN + LABEL
        if not bar.is_wrong:
            fill = OURS if bar.is_ours else OTHERS
            lines.append(f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{fill}"/>')
        ink = WRONG if bar.is_wrong else INK
        lines.append(f'<text x="{x + width + 6:.1f}" y="{y + 13}" fill="{ink}">{escape(bar.says)}</text>')
    return lines
