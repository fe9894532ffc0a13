"""``python -m bitfold`` is ``bitfold``, and imports nothing from the current folder."""

import sys

from bitfold.runtime.strangers.isolated_start import import_folders

if not sys.flags.safe_path:
    sys.path[:] = import_folders()

from bitfold.cli.main import main

sys.exit(main())
