"""The rooms of the page, one file each: what stands in it, and what its buttons do."""
