#!/bin/sh
# docs/configuration.md is what the program that makes it prints. Arguments: the program, the page.
set -u
made=$(mktemp) || exit 99
trap 'rm -f "$made"' EXIT
"$1" > "$made" || exit 1
diff -u "$2" "$made" || exit 1
# A full disk is not a page.
[ ! -w /dev/full ] || ! "$1" > /dev/full
