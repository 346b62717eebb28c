"""``python -m geomgan``: the command line."""

import sys

from geomgan.cli import main

sys.exit(main())
