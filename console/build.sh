#!/bin/sh
# Installs what package-lock.json names into a folder of the build, and bundles the console.
#   build.sh SOURCE WORK OUT.c DEPFILE
set -eu
source=$1 work=$2 out=$3 depfile=$4
mkdir -p "$work"
if ! cmp -s "$source/package-lock.json" "$work/package-lock.json" || [ ! -e "$work/done" ]; then
    rm -f "$work/done"
    cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$work/"
    if ! (cd "$work" && npm ci --no-progress) >"$work/npm.log" 2>&1; then
        cat "$work/npm.log" >&2
        echo "console: npm could not install what the web console is built with;" \
            "without it: meson configure $(basename "$PWD") -Dconsole=disabled" >&2
        exit 1
    fi
    touch "$work/done"
fi
exec node "$source/build.mjs" --modules "$work/node_modules" --out "$out" --depfile "$depfile"
