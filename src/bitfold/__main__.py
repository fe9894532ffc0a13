"""``python -m bitfold`` is ``bitfold``."""

import sys

from bitfold.cli.main import main

sys.exit(main())
