"""What the tests of reliability count. It is printed when all tests are over."""

from __future__ import annotations

from collections import Counter

FIGURES: Counter[str] = Counter()
