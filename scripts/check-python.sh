#!/bin/sh
# Says what is missing before anything is installed: Python 3.10 to 3.13 with venv.
"$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || {
    echo "error: $1 is not Python 3.10 to 3.13: run make PYTHON=python3.12 (or another of these)" >&2; exit 1; }
"$1" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "error: Python's venv is missing; run once: sudo apt-get install -y python3-venv" >&2; exit 1; }
