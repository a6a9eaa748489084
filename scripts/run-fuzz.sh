#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for FUZZ_SECONDS (default 60). The corpora in
# the tree are read, new inputs go to build-fuzz/corpus, findings to build-fuzz/findings.
#   scripts/run-fuzz.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=build-fuzz
seconds=${FUZZ_SECONDS:-60}
if [ ! -f "$build/build.ninja" ]; then
    CC=clang-14 meson setup "$build" -Dfuzz=true -Dtests=disabled -Dconsole=disabled -Db_lundef=false \
        -Db_sanitize=address,undefined -Doptimization=1 \
        -Dc_args="-fno-omit-frame-pointer -fsanitize=fuzzer-no-link"
fi
ninja -C "$build"

# "name<tab>program<tab>folder of the source" of each executable defined below fuzz/.
targets=$(meson introspect "$build" --targets | /usr/bin/python3 -c '
import json, os, sys
for t in json.load(sys.stdin):
    where = os.path.relpath(os.path.dirname(t["defined_in"]))
    if t["type"] == "executable" and t["name"].startswith("fuzz_"):
        print(t["name"], t["filename"][0], where, sep="\t")
')
if [ -z "$targets" ]; then
    echo "run-fuzz: there are no fuzz targets" >&2
    exit 1
fi

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
failed=()
ran=0
while IFS=$'\t' read -r name program where; do
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    ran=$((ran + 1))
    short=${name%_fuzz}
    short=${short#fuzz_}
    new=$build/corpus/$name
    findings=$build/findings/$name
    mkdir -p "$new" "$findings"
    options=("-max_total_time=$seconds" "-artifact_prefix=$findings/" -print_final_stats=1
        -timeout=20 -rss_limit_mb=2048 -max_len=262144)
    inputs=("$new")
    if [ -d "fuzz/corpus/$short" ]; then
        inputs+=("fuzz/corpus/$short")
    fi
    for d in "$where/$name.dict" "$where/$short.dict"; do
        if [ -f "$d" ]; then
            options+=("-dict=$d")
            break
        fi
    done
    echo "== $name: $seconds s, corpora: ${inputs[*]:1}"
    if ! "$program" "${options[@]}" "${inputs[@]}" >"$build/$name.log" 2>&1 </dev/null; then
        failed+=("$name")
        tail -n 60 "$build/$name.log"
    fi
    grep -E '^stat::number_of_executed_units|^SUMMARY' "$build/$name.log" || true
done <<<"$targets"

if [ "$ran" -eq 0 ]; then
    echo "run-fuzz: no target named $*" >&2
    exit 1
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "run-fuzz: findings in ${failed[*]}; inputs in $build/findings. Each belongs in the" \
        "corpus with the change that cures it." >&2
    exit 1
fi
echo "run-fuzz: $ran targets, no findings"
