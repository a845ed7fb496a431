"""What a mutant has to survive: the decision table, then the properties and the words of the explanation.

Without pytest, whose start takes longer than all of them.
"""

import importlib
from random import Random

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
            if not getattr(test, "pytestmark", ()):
                test()


if __name__ == "__main__":
    main()
