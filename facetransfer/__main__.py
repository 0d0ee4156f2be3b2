import sys

from facetransfer.cli.main import main

sys.exit(main())
