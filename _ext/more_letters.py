"""Give the typeface of the text the letters that it lacks, é and ü among them, from Computer Modern Unicode.

KaTeX has the face for mathematics in English. A browser asks for these faces only where a page shows a letter
that they alone have.
"""

from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, save_font

# Weight and style, and the file of the package `computer-modern`.
FACES = {
    (400, "normal"): "cmu-serif-500-roman",
    (400, "italic"): "cmu-serif-500-italic",
    (700, "normal"): "cmu-serif-700-roman",
}
# Latin letters with accents and the signs before them, Greek, and digits that are raised or lowered.
LETTERS = (range(0xA1, 0x180), range(0x391, 0x3CA), range(0x2070, 0x2090))
SPAN = ",".join(f"U+{span[0]:X}-{span[-1]:X}" for span in LETTERS)


def rule(weight: int, style: str, name: str) -> str:
    """Return the rule that names a face."""
    return (
        f"@font-face{{font-display:swap;font-family:KaTeX_Main;font-style:{style};font-weight:{weight};"
        f'src:url(fonts/{name}) format("woff");unicode-range:{SPAN}}}'
    )


def write_faces(source: Path, target: Path) -> str:
    """Write the faces, of these letters alone; return the rules, which are to stand before KaTeX's own."""
    rules = []
    for (weight, style), file in FACES.items():
        options = Options(flavor="woff", hinting=False, layout_features=[])
        options.drop_tables += ["FFTM", "TeX"]
        font = load_font(source / f"{file}.ttf", options)
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=[letter for span in LETTERS for letter in span])
        subsetter.subset(font)
        save_font(font, target / f"{file}.woff", options)
        rules.append(rule(weight, style, f"{file}.woff"))
    return "".join(rules)
