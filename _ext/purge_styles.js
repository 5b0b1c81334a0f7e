// Reads {css, pages} from the standard input, a stylesheet and the files of a site; writes the stylesheet without
// the rules for which no page, and no script that a page loads, has an element.
const { readFileSync } = require("node:fs");
const { PurgeCSS } = require("purgecss");

// What a page says is not what it is made of: only its tags and its own scripts count.
const MADE_OF = /<script[^]*?<\/script>|<[a-z][^>]*>/gi;
const words = (text) => text.match(/[\w-]+/g) ?? [];
const tagsOf = (html) => [...new Set((html.match(MADE_OF) ?? []).flatMap(words))];

const OPTIONS = {
  extractors: [{ extensions: ["html"], extractor: tagsOf }],
  // A face may be named by a variable alone, which it does not see.
  fontFace: false,
  keyframes: true,
  variables: true,
  // Set by scripts, and by the browser.
  dynamicAttributes: [
    "aria-expanded", "aria-pressed", "aria-selected", "data-mode", "data-popper-placement", "data-theme", "disabled", "open", "type",
  ],
  safelist: {
    // Bootstrap's script has a word for each of its parts, of which the pages use the tooltip, menus and folding.
    standard: ["active", "collapsed", "collapsing", "fade", "hide", "show", "showing"],
    greedy: [/tooltip/],
    // The moving figures read these.
    variables: [/^--pst-color/, /^--figure/],
  },
};

// What is said of any element in some state alone, such as :focus-visible, it would take for unused.
const ofAny = (css) => css.replace(/(?<=[{},]\s*):(?=(?:focus|focus-visible|hover|active|disabled|target)\b[^;{}]*\{)/g, "*:");

async function main() {
  const { css, pages } = JSON.parse(readFileSync(0, "utf8"));
  const [purged] = await new PurgeCSS().purge({ ...OPTIONS, content: pages, css: [{ raw: ofAny(css) }] });
  process.stdout.write(purged.css);
}

main();
