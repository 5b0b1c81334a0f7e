"""Let the search find sections and what has a number, each of them a document beside its page.

The name of such a document is the page's name and the id of the place, `page#id`; `assets/search.js` takes
the two apart again where the results are listed.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.search import js_index


class Kind(NamedTuple):
    """What a place is called, and the counter that numbers it."""

    word: str
    counter: str


PLACES = {
    "theorem_node": Kind("Theorem", "theorem"),
    "math_block": Kind("Equation", "displaymath"),
    "figure": Kind("Figure", "figure"),
    "table": Kind("Table", "table"),
    "exercise_enumerable_node": Kind("Exercise", "exercise"),
}


def is_section(node: nodes.Node) -> bool:
    """Tell a section from what has only its form, such as the body of a theorem."""
    return (
        isinstance(node, nodes.section)
        and node.first_child_matching_class(nodes.title) == 0
    )


def own_text(section: nodes.section) -> nodes.section:
    """Return a copy of a section without the sections inside it."""
    alone = section.copy()
    alone += [child.deepcopy() for child in section if not is_section(child)]
    return alone


def number(env, name: str, kind: str, node: nodes.Element) -> str:
    """Return the number of something that the book counts, or nothing."""
    counted = env.toc_fignumbers.get(name, {}).get(kind, {})
    found = [counted[key] for key in node["ids"] if key in counted]
    return ".".join(map(str, found[0])) if found else ""


def places(env, name: str, doctree: nodes.document):
    """Yield what has a number, its heading and its words; of an equation the name of its label."""
    for node in doctree.findall(nodes.Element):
        kind, ids = PLACES.get(type(node).__name__), node.get("ids")
        if not kind or not ids:
            continue
        heading = f"{kind.word} {number(env, name, kind.counter, node)}".strip()
        if kind.word == "Equation":
            label = ids[0].removeprefix("equation-eq-").replace("-", " ")
            yield node, f"{heading} ({label})", []
        elif kind.word == "Theorem":
            name_of_it = node[0].astext().replace("$", "").replace("\\", "").strip()
            yield node, f"{heading} {name_of_it}", node.children[1:]
        else:
            yield node, heading, node.children


def index_places(
    builder, indexer, name: str, filename: str, title: str, doctree
) -> None:
    """Feed what has a number."""
    for node, heading, content in list(places(builder.env, name, doctree)):
        entry = nodes.section("", nodes.title("", heading), ids=node["ids"][:1])
        entry += [child.deepcopy() for child in content]
        document = doctree.copy()
        document += entry
        feed(indexer, name, filename, f"{title} > {heading}", document, node["ids"][0])


def feed(indexer, name: str, filename: str, title: str, document, anchor: str) -> None:
    """Feed one place of a page, with its terms of the index as words."""
    part = f"{name}#{anchor}"
    document += nodes.paragraph("", " ".join(terms(document, anchor)))
    indexer.feed(part, filename, title, document)
    # A heading and an entry of the index are found once: the page has the first, the place the second.
    indexer._all_titles[part] = []
    own = [entry for entry in indexer._index_entries[part] if entry[1] == anchor]
    indexer._index_entries[part] = own
    rest = [entry for entry in indexer._index_entries[name] if entry not in own]
    indexer._index_entries[name] = rest


def terms(document: nodes.document, anchor: str) -> list[str]:
    """Return the terms of the index that lead to a place."""
    entries = [
        entry for one in document.findall(addnodes.index) for entry in one["entries"]
    ]
    return [term for _, term, place, *_ in entries if place == anchor]


def index_sections(indexer, name: str, filename: str, title: str, doctree) -> None:
    """Feed the sections below the page's own."""
    for section in doctree.findall(is_section):
        if isinstance(section.parent, nodes.document):
            continue
        document = doctree.copy()
        document += own_text(section)
        heading = section[0].astext()
        anchor = section["ids"][0]
        feed(indexer, name, filename, f"{title} > {heading}", document, anchor)


def index_page(builder, original, name: str, doctree, title: str) -> None:
    """Index a page as Sphinx does, and then its sections."""
    original(name, doctree, title)
    if builder.indexer is not None and title:
        filename = builder.env.doc2path(name, base=False)
        index_sections(builder.indexer, name, filename, title, doctree)
        index_places(builder, builder.indexer, name, filename, title, doctree)


def prune(indexer, original, keep) -> None:
    """Keep the sections of the pages that are kept."""
    pages = set(keep)
    original({name for name in indexer._titles if name.partition("#")[0] in pages})


def load_indexer(builder, original, names) -> None:
    """Load what an earlier build left of the index, without forgetting sections and terms."""
    builder.indexer.prune = partial(prune, builder.indexer, builder.indexer.prune)
    original(names)
    load_terms(builder.indexer, Path(builder.outdir, builder.searchindex_filename))


def load_terms(indexer, path: Path) -> None:
    """Load the terms of the pages that are not built again, which Sphinx does not."""
    indexer._index_entries.clear()
    if not indexer._titles:
        return
    before = js_index.loads(path.read_text("utf-8"))
    for term, places in before["indexentries"].items():
        for at, anchor, main in places:
            name = before["docnames"][at]
            if name in indexer._titles:
                entry = (term, anchor, "main" if main else "")
                indexer._index_entries.setdefault(name, []).append(entry)


def wrap(app) -> None:
    """Put the functions above around the builder's own."""
    builder = app.builder
    if builder.format == "html":
        builder.index_page = partial(index_page, builder, builder.index_page)
        builder.load_indexer = partial(load_indexer, builder, builder.load_indexer)


def setup(app) -> dict:
    """Register the extension."""
    app.connect("builder-inited", wrap)
    return {"parallel_read_safe": True}
