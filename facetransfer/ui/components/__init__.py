"""The parts of the page, one file or folder each: what stands in it, and what its buttons do."""
