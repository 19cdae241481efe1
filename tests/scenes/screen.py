# SPDX-License-Identifier: BSD-2-Clause
"""A screen of a terminal, as tmux tells it (capture-pane -p -e), drawn as SVG."""
import html
import re
import unicodedata

CELL, LINE, EDGE = 8.4, 18, 14
PAPER, INK = "#14171b", "#e7eaee"
COLOURS = {31: "#ff6b60", 91: "#ff6b60"}


class Pen:
    def __init__(self):
        self.colour = INK
        self.bold = self.dim = self.under = self.turned = False

    def set(self, codes):
        for code in codes:
            if code == 0:
                vars(self).update(vars(Pen()))
            elif code in COLOURS:
                self.colour = COLOURS[code]
            elif code == 39:
                self.colour = INK
            elif code == 1:
                self.bold = True
            elif code == 2:
                self.dim = True
            elif code == 22:
                self.bold = self.dim = False
            elif code in (4, 24):
                self.under = code == 4
            elif code in (7, 27):
                self.turned = code == 7


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def run(x, y, text, pen):
    """One run of cells that look alike: as wide as its cells, whatever font there is."""
    size, ink = width(text) * CELL, PAPER if pen.turned else pen.colour
    shape = [f'<rect x="{x:.1f}" y="{y - 13}" width="{size:.1f}" height="{LINE}" fill="{pen.colour}" '
             'shape-rendering="crispEdges"/>'] if pen.turned else []
    if not text.strip():
        return shape
    start = len(text) - len(text.lstrip(" "))
    text = text.strip(" ")
    more = "".join([' font-weight="bold"' * pen.bold, ' opacity="0.6"' * pen.dim, ' text-decoration="underline"' * pen.under])
    return [*shape, f'<text x="{x + start * CELL:.1f}" y="{y}" fill="{ink}" textLength="{width(text) * CELL:.1f}" '
            f'lengthAdjust="spacingAndGlyphs"{more}>{html.escape(text)}</text>']


def draw(text, columns, rows, title):
    """The whole picture."""
    pen, shapes = Pen(), []
    for number, line in enumerate(text.split("\n")[:rows]):
        x, y = EDGE, EDGE + 13 + number * LINE
        for escape, plain in re.findall(r"\033\[([0-9;]*)m|([^\033]+)", line):
            if plain:
                # Words that stand far apart are runs of their own, so that no font can shift them.
                for part in re.findall(r" {2,}|(?:(?! {2}).)+", plain):
                    shapes += run(x, y, part, pen)
                    x += width(part) * CELL
            else:
                pen.set([int(code or 0) for code in escape.split(";")])
    wide, high = columns * CELL + 2 * EDGE, rows * LINE + 2 * EDGE
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" width="{wide:.0f}" height="{high}" '
        f'role="img" aria-label="{html.escape(title)}">', f"<title>{html.escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
        '<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
        *shapes, "</g>", "</svg>", ""])
