"""From two pictures of faces to a finished result: jobs, recipes, reports. The command line and the page
share this layer.
"""
