"""A page that is not built again keeps its terms of the index, and one that is gone does not."""

import runpy
from types import SimpleNamespace

from helpers.site import ROOT
from sphinx.search import js_index

load_terms = runpy.run_path(str(ROOT / "_ext" / "section_search.py"))["load_terms"]


def test_the_terms_of_an_earlier_build_are_loaded(tmp_path):
    path = tmp_path / "searchindex.js"
    terms = {
        "lotus": [[0, "sec", False]],
        "simplex": [[1, "term", True], [2, "", False]],
    }
    index = {"docnames": ["a#sec", "b", "gone"], "indexentries": terms}
    path.write_text(js_index.dumps(index))
    titles = {"a#sec": "A > Section", "b": "B"}
    stale = {"gone": [("simplex", "", "")]}
    indexer = SimpleNamespace(_titles=titles, _index_entries=stale)
    load_terms(indexer, path)
    assert indexer._index_entries == {
        "a#sec": [("lotus", "sec", "")],
        "b": [("simplex", "term", "main")],
    }
