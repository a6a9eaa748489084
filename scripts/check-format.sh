#!/usr/bin/env bash
# Holds the C files against .clang-format; --fix rewrites them.
set -euo pipefail
cd "$(dirname "$0")/.."

formatter=clang-format-14
if ! command -v "$formatter" >/dev/null; then
    echo "check-format: $formatter is missing (scripts/install-deps.sh check)" >&2
    exit 1
fi
mapfile -t files < <(git ls-files --cached --others --exclude-standard -- \
    'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]' | sort -u)
existing=()
for f in "${files[@]}"; do
    if [ -f "$f" ]; then
        existing+=("$f")
    fi
done
if [ ${#existing[@]} -eq 0 ]; then
    echo "check-format: no files" >&2
    exit 1
fi
if [ "${1:-}" = --fix ]; then
    "$formatter" -i "${existing[@]}"
    exit 0
fi
if ! found=$("$formatter" --dry-run -Werror --ferror-limit=3 "${existing[@]}" 2>&1); then
    grep -o '^[^ ]*:[0-9]*:[0-9]*: error' <<<"$found" | head -n 40
    echo "check-format: the places above are laid out otherwise; run make format" >&2
    exit 1
fi
echo "check-format: ${#existing[@]} files"
