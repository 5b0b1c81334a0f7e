"""What the tests of the moving figures share: where each stands, and what it says and draws."""

import re

from helpers.site import SITE

# Every figure, the page and the static picture whose place it takes there.
PLACES = {
    "triangle": ("chapters/04_softmax_relaxation.html", "fig-samples"),
    "race": ("chapters/03_gumbel_max.html", "fig-gumbel-max"),
    "straight-through": (
        "chapters/04_softmax_relaxation.html",
        "fig-straight-through",
    ),
    "max-stability": ("chapters/02_gumbel.html", "fig-max-stability"),
    "estimator-bench": ("chapters/05_gradient_estimators.html", "fig-bench"),
    "training": ("chapters/07_categorical_vae.html", "fig-stages"),
    "coupling": ("chapters/09_in_the_wild.html", "fig-coupling"),
    "watermark-score": ("chapters/09_in_the_wild.html", "fig-watermark-score"),
    "decoder": ("chapters/07_categorical_vae.html", "fig-dials"),
}


def alone(page, place):
    """Return a page with one figure of the site, its styles and its scripts, which opens in no time."""
    html = (SITE / page).read_text("utf-8")
    styles = re.findall(r'<link[^>]*rel="stylesheet"[^>]*>', html)
    scripts = re.findall(r"<script[^>]*/figures/[^>]*></script>", html)
    (holder,) = re.findall(rf'(?s)<figure[^>]*id="{place}".*?</figure>', html)
    (element,) = re.findall(rf'<div[^>]*data-replaces="{place}".*?</div>', html)
    base = (SITE / page).parent.as_uri()
    away = '<p style="height: 2000px"></p>'
    return f"""<!DOCTYPE html><html data-theme="light"><head><meta charset="utf-8"><base href="{base}/">
        {"".join(styles + scripts)}</head><body><article class="bd-article">
        {away}{holder}{element}{away}</article></body></html>"""


def settle(figure):
    """Wait until nothing moves, and what is drawn and said is the state."""
    figure.evaluate(
        """element => new Promise(done => {
            const figure = element.figure;
            const look = () => figure.stale || figure.move || figure.silent ? setTimeout(look, 20) : done();
            requestAnimationFrame(() => setTimeout(look, 20));
        })"""
    )


def said(figure):
    settle(figure)
    return figure.get_by_role("status").inner_text()


def inked(figure):
    """Return the colours of the picture, and how many of its pixels have each; the rarest left out."""
    settle(figure)
    return figure.evaluate(
        """element => {
            const {width, height} = element.figure.canvas;
            const {data} = element.figure.canvas.getContext('2d').getImageData(0, 0, width, height);
            const counts = {};
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 3] < 255) continue;
                const colour = `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})`;
                counts[colour] = (counts[colour] ?? 0) + 1;
            }
            return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 20));
        }"""
    )


def palette(figure):
    """Return the colours of this theme: those of the categories and of the text."""
    return figure.evaluate(
        """element => [1, 2, 3, 4, 5, 6].map(number => `--figure-${number}`).concat('--pst-color-text-base')
            .map(name => {
                const probe = element.appendChild(document.createElement('i'));
                probe.style.color = getComputedStyle(element).getPropertyValue(name);
                const {color} = getComputedStyle(probe);
                probe.remove();
                return color;
            })"""
    )
