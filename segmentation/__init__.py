"""Face pictures to semantic maps: the classes, the maps, the parsers that make them, and the guides made of them."""
