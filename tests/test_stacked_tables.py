"""The entries of a wide table name the heads of their columns, for the phone that shows no head."""

import re
import runpy

from helpers.site import ROOT

with_heads = runpy.run_path(str(ROOT / "_ext" / "stacked_tables.py"))["with_heads"]
FORMULA = '<span class="math"><math><mi>f</mi></math><b>f</b></span>'
TABLE = f"""<table class="wide-table table"><thead>
<tr><th class="head"><p>name</p></th><th class="head"><p>needs of {FORMULA}</p></th>
<th class="head"><p>“so”</p></th></tr></thead>
<tbody><tr class="row-even"><td><p>a</p></td><td></td><td><p><math><mtd>1</mtd></math></p></td></tr>
<tr><td><p>b</p></td><td><p>2</p></td><td><p>3</p></td></tr></tbody></table>"""


def test_every_entry_names_the_head_of_its_column_and_a_formula_once():
    named = with_heads(TABLE)
    heads = re.findall(r'<td data-head="([^"]*)"', named)
    assert heads == ["name", "needs of f", "“so”"] * 2


def test_nothing_else_of_the_table_changes():
    assert re.sub(r' data-head="[^"]*"', "", with_heads(TABLE)) == TABLE
