#!/bin/sh
# Installs Debian or Ubuntu packages when it may; otherwise names the one command that does.
set -e
command="apt-get install -y --no-install-recommends $*"
if ! command -v apt-get >/dev/null; then
    echo "error: please install, with your system's package manager: $*" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    apt-get update -qq && $command
elif sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo $command
else
    echo "error: $* missing; run once: sudo $command" >&2
    exit 1
fi
