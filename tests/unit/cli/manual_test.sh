#!/bin/sh
# docs/cli.md is what the table of commands says. Arguments: the program, docs/cli.md.
set -u
made=$(mktemp) || exit 99
trap 'rm -f "$made"' EXIT
"$1" help --markdown > "$made" || exit 1
diff -u "$2" "$made" && exit 0
echo "docs/cli.md is not up to date: $1 help --markdown > docs/cli.md" >&2
exit 1
