"""Let the search find sections: each goes into the index as a document of its own, beside its page.

The name of such a document is the page's name and the section's id, `page#id`; `assets/search.js` takes the
two apart again where the results are listed.
"""

from functools import partial

from docutils import nodes


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


def index_sections(indexer, name: str, filename: str, title: str, doctree) -> None:
    """Feed the sections below the page's own."""
    for section in doctree.findall(is_section):
        if isinstance(section.parent, nodes.document):
            continue
        document = doctree.copy()
        document += own_text(section)
        heading = section[0].astext()
        part = f"{name}#{section['ids'][0]}"
        indexer.feed(part, filename, f"{title} > {heading}", document)
        # The page has them: a heading and an entry of the index are found once.
        indexer._all_titles[part] = []
        indexer._index_entries[part] = []


def index_page(builder, original, name: str, doctree, title: str) -> None:
    """Index a page as Sphinx does, and then its sections."""
    original(name, doctree, title)
    if builder.indexer is not None and title:
        filename = builder.env.doc2path(name, base=False)
        index_sections(builder.indexer, name, filename, title, doctree)


def prune(indexer, original, keep) -> None:
    """Keep the sections of the pages that are kept."""
    pages = set(keep)
    original({name for name in indexer._titles if name.partition("#")[0] in pages})


def load_indexer(builder, original, names) -> None:
    """Load what an earlier build left of the index, without forgetting sections."""
    builder.indexer.prune = partial(prune, builder.indexer, builder.indexer.prune)
    original(names)


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
