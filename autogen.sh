#!/bin/sh
# Makes configure and the Makefile templates; needed once in a fresh clone.
set -e
cd "$(dirname "$0")"
exec autoreconf -fi
