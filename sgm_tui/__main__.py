"""`python -m sgm_tui` is `sgm`."""

import sys

from sgm_tui.cli import main

sys.exit(main())
