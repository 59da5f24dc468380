"""`python -m spanwatch`: the command, for the processes that it starts itself."""

import sys

from spanwatch.cli import main

sys.exit(main())
