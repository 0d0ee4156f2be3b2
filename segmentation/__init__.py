"""From pictures of faces to semantic maps: the classes, the maps, the parsers that make them, and the guides
that are made of them.
"""

PARSERS = ("compact", "bisenet", "parsenet")  # here, so that --help need not load them
MAP_ENDING = "_sem.png"  # photo.jpg has photo_sem.png beside it; here for the same reason
