#!/bin/sh
# Says what is missing before anything is downloaded: Python 3.10 to 3.13 with venv, and a machine that torch 2.8 or
# later is made for, which Macs with Intel processors are not.
"$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || {
    echo "error: $1 is not Python 3.10 to 3.13, for which numba and torch are tested here (3.14 is too new):" \
        "run make PYTHON=python3.12 (or another of these)" >&2; exit 1; }
"$1" -c 'import platform, sys; sys.exit((platform.system(), platform.machine()) == ("Darwin", "x86_64"))' || {
    echo "error: torch 2.8 and later cannot be installed on a Mac with an Intel processor (2.2 was the last):" \
        "use a Mac with Apple silicon and a Python made for it, Linux or Windows" >&2; exit 1; }
"$1" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "error: Python's venv is missing; run once: sudo apt-get install -y python3-venv" >&2; exit 1; }
