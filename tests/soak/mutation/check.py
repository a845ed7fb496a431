"""What a mutant has to survive: the decision table, then the properties and the words of the explanation.

Without pytest, whose start takes longer than all of them.
"""

import importlib
from random import Random
from typing import Any

from tests.unit.gateway.domain.consent.notation import rows

_TESTS = "tests.unit.gateway.domain.consent"


def main() -> None:
    """Raise whatever the first of them raises. The rows come in a fixed disorder, to meet the right one soon."""
    table = rows()
    Random(1).shuffle(table)
    for row in table:
        row.check()
    for name in ("test_explanation", "test_values", "test_properties"):
        module = importlib.import_module(f"{_TESTS}.{name}")
        for test in (found for test, found in vars(module).items() if test.startswith("test_")):
            for values in _parameters(test):
                test(*values)


def _parameters(test: Any) -> list[tuple[Any, ...]]:
    """What pytest would call it with: once with nothing, or with each of what its mark lists."""
    if not hasattr(test, "pytestmark"):
        return [()]
    (mark,) = test.pytestmark
    names, listed = mark.args
    return [(one,) for one in listed] if isinstance(names, str) else list(listed)


if __name__ == "__main__":
    main()
