"""What every other part uses: settings, errors, pictures, weights and devices. It imports nothing else of the
program.
"""
