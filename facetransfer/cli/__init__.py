"""The command line. It imports from all layers below it, and nothing imports from it."""
