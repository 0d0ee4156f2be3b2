"""Measurements, not tests: each writes JSON with the machine, the versions and the commit beside
the numbers.
"""

import facetransfer  # noqa: F401  before torch, to which it says how its threads wait: measured is what people run
