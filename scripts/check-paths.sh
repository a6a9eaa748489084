#!/usr/bin/env bash
# No tracked file may name a path of one machine or a package registry's host: what works only
# here does not belong in the tree. (The brackets keep this file from finding itself.)
set -euo pipefail
cd "$(dirname "$0")/.."

patterns=(
    '(^|[^A-Za-z0-9._-])/[w]ork/'
    '(^|[^A-Za-z0-9._-])/[r]oot/'
    '(^|[^A-Za-z0-9._-])/[h]ome/'
    '[p]ypi\.org|[p]ythonhosted\.org|[c]rates\.io|proxy\.[g]olang\.org'
    'registry\.[n]pmjs|repo1?\.[m]aven|[m]aven\.apache\.org'
    '(deb|security|ftp|snapshot)\.[d]ebian\.org'
)
args=()
for p in "${patterns[@]}"; do
    args+=(-e "$p")
done
if git grep -nIE "${args[@]}" -- .; then
    echo "check-paths: the lines above name one machine's path or a registry" >&2
    exit 1
fi
echo "check-paths: nothing found"
