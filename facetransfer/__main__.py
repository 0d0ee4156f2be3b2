import sys

from facetransfer.cli import main

sys.exit(main())
