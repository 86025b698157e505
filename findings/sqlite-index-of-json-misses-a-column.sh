#!/usr/bin/env bash
# SQLite 3.46.1: an index on json_extract(…) finds a text that is bound or written, and is passed over, without a word,
# when the same text comes from a column, also as a subquery.
#
# A column of type TEXT brings its affinity into the comparison, the expression has none, and an index on an expression
# serves only a comparison without. So a lookup that reads one row becomes a walk through the table the day
# somebody replaces the bound value by `(SELECT name FROM …)`; both give the same rows. Appending an empty text
# (`name || ''`) makes an expression of the column and has the index back.
#
# Seen: SEARCH … USING INDEX for `= ?` and for `= (SELECT name || '' …)`, SCAN for `= (SELECT name …)`.
# Needs python3 and pip; apsw brings its own SQLite. Exits 1 if the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --no-deps --target "$folder" apsw==3.46.1.0
PYTHONPATH="$folder" python3 - <<'PY'
import sys, apsw
print("SQLite", apsw.sqlite_lib_version())
db = apsw.Connection(":memory:")
run = db.cursor().execute
run("CREATE TABLE entries (seq INTEGER PRIMARY KEY, body TEXT)")
run("CREATE INDEX by_case ON entries (json_extract(body, '$.case'))")
run("CREATE TABLE cases (id INTEGER PRIMARY KEY, name TEXT)")
run("INSERT INTO cases VALUES (1, 'c-7')")
for n in range(1000):
    run("INSERT INTO entries (body) VALUES (?)", (f'{{"case":"c-{n}"}}',))
run("ANALYZE")
base = "FROM entries WHERE json_extract(body, '$.case') = "
asked = {
    "bound": ("?", ("c-7",)),
    "column": ("(SELECT name FROM cases WHERE id = 1)", ()),
    "expression": ("(SELECT name || '' FROM cases WHERE id = 1)", ()),
}
seen = {}
for how, (value, given) in asked.items():
    plan = [row[3] for row in run("EXPLAIN QUERY PLAN SELECT seq " + base + value, given)][0]
    rows = list(run("SELECT seq " + base + value, given))
    seen[how] = plan.startswith("SEARCH")
    print(f"{how:10} {plan:55} {rows}")
    if rows != [(8,)]:
        sys.exit("another row: changed")
if seen != {"bound": True, "column": False, "expression": True}:
    sys.exit("the index is used otherwise by now: changed")
print("as described: a column's affinity takes the index away")
PY
