"""DICOM in and out. pydicom and pynetdicom quote values in what they log and warn of; here they stay silent."""

import logging
import warnings

for _library in ("pydicom", "pynetdicom"):
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=rf"{_library}\b")
