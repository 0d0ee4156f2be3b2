"""Trains both networks that ship, and makes the pictures that the parser learns from. The program imports
nothing of it; docs/training.md has the commands.
"""
