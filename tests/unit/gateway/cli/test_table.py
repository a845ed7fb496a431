"""A table is as wide as its place where it can be, breaks no word and no id, and takes as long as it is."""

import sys

import pytest

from gateway.cli.table import table_lines

ID = "0123456789abcdef0123456789abcdef"
HEADINGS = ("time", "of", "on what ground")
AT = "2026-03-02 09:00:00 UTC"
GROUND = f"decision {ID}; consents Consent/{ID}/1, Consent/{ID}/2; purposes TREAT, HRESCH, PUBHLTH, COC"


def test_columns_are_aligned_and_nothing_trails() -> None:
    lines = table_lines(("name", "country"), [("ankara", "TR"), ("a longer name", "")], width=200)
    assert lines == ["name           country", "ankara         TR", "a longer name"]


def test_what_is_too_wide_is_folded_between_words_alone() -> None:
    lines = table_lines(HEADINGS, [(AT, f"Patient/{ID}", GROUND)] * 2, width=130)
    assert max(map(len, lines)) <= 130
    assert lines[1].startswith(f"{AT}  Patient/{ID}  decision {ID};")
    assert lines[1 : len(lines) // 2 + 1] == lines[len(lines) // 2 + 1 :]
    folded = " ".join(line[len(AT) + len(f"Patient/{ID}") + 4 :] for line in lines[1 : len(lines) // 2 + 1])
    assert folded == GROUND


def test_ids_stay_whole_where_there_is_no_room_for_them() -> None:
    lines = table_lines(HEADINGS, [(AT, f"Patient/{ID}", GROUND)], width=60)
    assert any(f"Consent/{ID}/1," in line for line in lines)
    assert f"{AT}  Patient/{ID}" in lines[1]


def test_a_column_that_is_to_stay_whole_is_not_folded() -> None:
    said = "a sentence that is far too long for a line of this width"
    assert said in "\n".join(table_lines(("said", "other"), [(said, said)], width=60, whole=("said",)))


@pytest.mark.parametrize("cell", ["Öztürk", "王小明", "e\u0301te\u0301", "\u200bzero"])
def test_columns_are_aligned_by_what_is_seen(cell: str) -> None:
    seen = {"Öztürk": 6, "王小明": 6, "e\u0301te\u0301": 3, "\u200bzero": 4}[cell]
    [_, line] = table_lines(("name", "x"), [(cell, "y")], width=200)
    assert line == cell + " " * (max(seen, 4) + 2 - seen) + "y"


def test_lines_stay_lines_and_no_cell_moves_the_cursor() -> None:
    lines = table_lines(("a", "b"), [("one\ntwo", "x\x1b[2Jy\rz\u202e")], width=200)
    assert lines == ["a    b", "one  x\ufffd[2Jy\ufffdz\ufffd", "two"]


def test_no_rows_and_empty_cells() -> None:
    assert table_lines(("a", "b"), [], width=80) == ["a  b"]
    assert table_lines(("a", "b"), [("", "")], width=80) == ["a  b", ""]


def test_a_long_table_takes_as_long_as_it_is() -> None:
    def calls(rows: int) -> int:
        counted = [0]

        def count(_frame: object, event: str, _argument: object) -> None:
            counted[0] += event == "call"

        given = [(AT, f"Patient/{ID}{number}", GROUND) for number in range(rows)]
        sys.setprofile(count)
        try:
            table_lines(HEADINGS, given, width=120)
        finally:
            sys.setprofile(None)
        return counted[0]

    assert calls(800) <= 4.1 * calls(200)
