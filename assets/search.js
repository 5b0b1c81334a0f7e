// Search results lead to sections, which are in the index under the names `page#section` (see _ext/section_search.py).
if (typeof Search !== "undefined") {
  // A page of files may not read another for its words: the titles then stand alone.
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  // A formula is in a page twice, as it is seen and as it is read aloud; an excerpt needs the one that is seen.
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const other of page.querySelectorAll(".headerlink, .katex-mathml, script, style")) other.remove();
    const part = anchor && page.getElementById(decodeURIComponent(anchor.slice(1)));
    return (part || page.querySelector("[role='main'], main"))?.textContent ?? "";
  };

  const everyResult = Search._performSearch;
  const stemmer = new Stemmer();

  // A section is known by its own heading, the last part of its title.
  const wordsOfHeading = (title) =>
    splitQuery(title.split(" > ").pop().toLowerCase()).map((word) => stemmer.stemWord(word));

  // Sphinx asks whether one word stands in the heading; the more do, and the fewer others, the better.
  const scored = (result, terms, query) => {
    const [page, title, anchor, description, score, ...rest] = result;
    const heading = wordsOfHeading(title);
    const found = [...terms].filter((term) => heading.includes(term)).length;
    const bonus = description ? 0 : found * (1 + 1 / (1 + heading.length));
    // The field of a record is seldom what a bare word means.
    const isField = /attribute/.test(description ?? "");
    const malus = isField ? 100 : 0;
    // Whoever types the name of a function means it.
    const named = description && !isField && title.split(".").pop() === query.trim() ? 100 : 0;
    const whole = anchor ? 0 : 1;
    return [page, title, anchor, description, score + 10 * bonus + named - whole - malus, ...rest];
  };

  const split = ([name, title, anchor, ...rest]) => {
    const [page, section] = name.split("#");
    return [page, title, anchor || (section ? `#${section}` : ""), ...rest];
  };

  // Sphinx drops numbers from a query; whoever looks for "Theorem 4.5" or "(4.2)" means what bears the number.
  const NUMBERED = /^\s*(th|eq|fig|tab|ex)?[a-z]*\.?\s*\(?(\d+\.\d+)\)?\s*$/i;
  const KINDS = { th: "Theorem", eq: "Equation", fig: "Figure", tab: "Table", ex: "Exercise" };
  const byNumber = (query) => {
    const [, kind, number] = query.match(NUMBERED) ?? [];
    if (!number) return [];
    const said = kind ? [KINDS[kind.toLowerCase()]] : Object.values(KINDS);
    const kinds = query.includes("(") ? [KINDS.eq] : said;
    const { docnames, titles, filenames } = Search._index;
    return titles
      .map((title, at) => [docnames[at], title, "", null, 1000, filenames[at]])
      .filter(([, title]) => {
        const [word, found] = title.split(" > ").pop().split(" ");
        return kinds.includes(word) && found === number;
      });
  };

  // A term of the index is found whatever its hyphens and endings.
  const plain = (text) => splitQuery(text.toLowerCase()).map((word) => stemmer.stemWord(word)).join(" ");
  const byTerm = (query) => {
    const { docnames, titles, filenames, indexentries } = Search._index;
    const meant = plain(query);
    return Object.entries(indexentries)
      .filter(([term]) => plain(term) === meant)
      .flatMap(([, places]) => places)
      .map(([at, anchor]) => [docnames[at], titles[at], anchor ? `#${anchor}` : "", null, 150, filenames[at]]);
  };

  Search._performSearch = (query, terms, ...others) => {
    // Sphinx has the best last.
    const results = [...everyResult(query, terms, ...others), ...byNumber(query), ...byTerm(query)]
      .reverse()
      .map((result) => scored(split(result), terms, query))
      .sort((one, other) => other[4] - one[4]);
    const seen = new Set();
    const withSections = new Set(results.filter((result) => result[2]).map(([page]) => page));
    // A place is named once, and a page only where none of its sections has all the words.
    return results
      .filter(([page, , anchor]) => {
        const isNew = !seen.has(page + anchor) && (anchor !== "" || !withSections.has(page));
        seen.add(page + anchor);
        return isNew;
      })
      .reverse();
  };
}
