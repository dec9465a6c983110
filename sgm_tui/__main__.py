"""`python -m sgm_tui` is `sgm`."""

import sys

from sgm_tui.start import main

sys.exit(main())
