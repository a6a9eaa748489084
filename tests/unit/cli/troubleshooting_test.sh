#!/bin/sh
# docs/troubleshooting.md is what the table says. Arguments: the program, docs/troubleshooting.md.
set -u
made=$(mktemp) || exit 99
trap 'rm -f "$made"' EXIT
"$1" help --troubleshooting > "$made" || exit 1
diff -u "$2" "$made" && exit 0
echo "docs/troubleshooting.md is not up to date: $1 help --troubleshooting > docs/troubleshooting.md" >&2
exit 1
