"""Ship the icons that the pages use in place of all of Font Awesome: a dozen of two thousand."""

import logging
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

USED = re.compile(r"\bfa-[a-z0-9-]+")
RULE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"(?:\\([0-9a-f]+)|(.))"\}')
# The signs before admonitions and at links that lead out.
VARIABLE = re.compile(r'--pst-icon-[a-z-]+:"(?:\\([0-9a-f]+)|(.))"')
FACE = re.compile(
    r'@font-face\{[^}]*font-family:"?Font Awesome[^}]*/(fa-[a-z]+-\d+)\.woff2[^}]*\}'
)
COMPATIBLE = re.compile(r"@font-face\{[^}]*font-family:\"?FontAwesome\"?[^}]*\}")


# It reports every table of a font.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def codepoint(match: tuple[str, str]) -> int:
    """Return the number of a character that a stylesheet gives as such or in hexadecimal."""
    hexadecimal, character = match
    return int(hexadecimal, 16) if hexadecimal else ord(character)


def names_in_use(folder: Path) -> set[str]:
    """Return the icons that the pages and their scripts name."""
    paths = [*folder.rglob("*.html"), *folder.glob("_static/**/*.js")]
    return {name for path in paths for name in USED.findall(path.read_text("utf-8"))}


def cut(css: str, names: set[str]) -> tuple[str, set[int]]:
    """Return the stylesheet without the rules of unused icons, and the characters that it still shows."""
    characters = {codepoint(match) for match in VARIABLE.findall(css)}

    def kept(match: re.Match[str]) -> str:
        if not names & set(USED.findall(match[1])):
            return ""
        characters.add(codepoint((match[2] or "", match[3] or "")))
        return match[0]

    return RULE.sub(kept, css), characters


def shrink(path: Path, characters: set[int]) -> bool:
    """Keep the given characters of a font; return whether it has any."""
    font = TTFont(path)
    wanted = characters & set(font.getBestCmap())
    if not wanted:
        return False
    subsetter = subset.Subsetter(subset.Options(layout_features=[]))
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    font.save(path)
    return True


def ship_used_icons(app, error) -> None:
    """Cut the theme's stylesheet and fonts, when the pages and the files are written."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css, characters = cut(sheet.read_text("utf-8"), names_in_use(Path(app.outdir)))
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    used = {path.stem for path in fonts.glob("*.ttf") if shrink(path, characters)}
    for path in fonts.iterdir():
        if path.suffix != ".ttf" or path.stem not in used:
            path.unlink()

    def face(match: re.Match[str]) -> str:
        if match[1] not in used:
            return ""
        compressed = re.compile(r'url\([^)]*\.woff2\) format\("woff2"\),')
        return compressed.sub("", match[0])

    sheet.write_text(FACE.sub(face, COMPATIBLE.sub("", css)), "utf-8")


def setup(app) -> dict:
    """Register the step, after the pages are final."""
    app.connect("build-finished", ship_used_icons, priority=950)
    return {"parallel_read_safe": True}
