"""Measurements, not tests: each writes JSON with the machine, the versions and the commit beside
the numbers.
"""

import facetransfer  # noqa: F401  before torch: it sets how torch's threads wait, as for people
