"""``python -m geomgan.cli``."""

import sys

from geomgan.cli import main

sys.exit(main())
