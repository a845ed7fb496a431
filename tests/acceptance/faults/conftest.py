"""A setting of which this run takes no schedule is not collected, so that nothing is skipped.

Each setting has a file of its own: pytest-xdist gives one file to one process, so the two run side by side.
"""

from tests.acceptance.faults.chosen import numbers
from tests.acceptance.faults.schedule import DISTRIBUTED, EMBEDDED

collect_ignore = [f"test_{setting}.py" for setting in (EMBEDDED, DISTRIBUTED) if not numbers(setting)]
