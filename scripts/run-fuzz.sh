#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for FUZZ_SECONDS (default 60), FUZZ_JOBS (default
# 1) at a time; the readers of CMS and the whole pipes of both protocols first, and for
# FUZZ_SECONDS_LARGE (default FUZZ_SECONDS). The corpora in the tree are read, new inputs go to corpus
# below the build directory FUZZ_BUILD (default build-fuzz), findings to findings there. Ends with the
# CPU time spent.
#   scripts/run-fuzz.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=${FUZZ_BUILD:-build-fuzz}
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-1}
large="fuzz_cms_open fuzz_cms_layers fuzz_as2_open fuzz_session fuzz_cms_ber"
if [ ! -f "$build/build.ninja" ]; then
    CC=clang-14 meson setup "$build" -Dfuzz=true -Dtests=disabled -Dconsole=disabled -Db_lundef=false \
        -Db_sanitize=address,undefined -Doptimization=1 \
        -Dc_args="-fno-omit-frame-pointer -fsanitize=fuzzer-no-link"
fi
ninja -C "$build"

# "name<tab>program<tab>folder of the source" of each executable defined below fuzz/, large ones first.
targets=$(meson introspect "$build" --targets | /usr/bin/python3 -c '
import json, os, sys
large = sys.argv[1].split()
for t in sorted(json.load(sys.stdin), key=lambda t: t["name"] not in large):
    where = os.path.relpath(os.path.dirname(t["defined_in"]))
    if t["type"] == "executable" and t["name"].startswith("fuzz_"):
        print(t["name"], t["filename"][0], where, sep="\t")
' "$large")
if [ -z "$targets" ]; then
    echo "run-fuzz: there are no fuzz targets" >&2
    exit 1
fi

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# Runs one target; its log is $build/NAME.log, its CPU seconds are in $build/NAME.cpu.
run_target() {
    local name=$1 program=$2 where=$3
    local short=${name#fuzz_} new=$build/corpus/$1 findings=$build/findings/$1
    if [[ " $large " == *" $name "* ]]; then
        local seconds=${FUZZ_SECONDS_LARGE:-$seconds}
    fi
    mkdir -p "$new" "$findings"
    local options=("-max_total_time=$seconds" "-artifact_prefix=$findings/" -print_final_stats=1
        -timeout=20 -rss_limit_mb=2048 -max_len=262144)
    local inputs=("$new") d status=0 cpu
    if [ -d "fuzz/corpus/$short" ]; then
        inputs+=("fuzz/corpus/$short")
    fi
    for d in "$where/$name.dict" "$where/$short.dict"; do
        if [ -f "$d" ]; then
            options+=("-dict=$d")
            break
        fi
    done
    "$program" "${options[@]}" "${inputs[@]}" >"$build/$name.log" 2>&1 </dev/null || status=$?
    # The second line of "times" is of the children: minutes and seconds, of user and of system. A
    # command substitution or a pipe would be another shell, without those children.
    times >"$build/$name.times"
    cpu=$(awk -F '[ms ]+' 'NR == 2 { printf "%.0f", $1 * 60 + $2 + $3 * 60 + $4 }' "$build/$name.times")
    echo "$cpu" >"$build/$name.cpu"
    echo "== $name: $cpu s of CPU in $seconds s, corpora: ${inputs[*]:1}"
    grep -E '^stat::number_of_executed_units|^SUMMARY' "$build/$name.log" || true
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$build/$name.log"
        touch "$build/$name.failed"
    fi
}

names=()
rm -f "$build"/*.failed "$build"/*.cpu
while IFS=$'\t' read -r name program where; do
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
        wait -n
    done
    names+=("$name")
    run_target "$name" "$program" "$where" &
done <<<"$targets"
wait

if [ ${#names[@]} -eq 0 ]; then
    echo "run-fuzz: no target named $*" >&2
    exit 1
fi
failed=()
total=0
for name in "${names[@]}"; do
    total=$((total + $(cat "$build/$name.cpu")))
    if [ -f "$build/$name.failed" ]; then
        failed+=("$name")
    fi
done
echo "run-fuzz: $((total / 60)) minutes of CPU"
if [ ${#failed[@]} -gt 0 ]; then
    echo "run-fuzz: findings in ${failed[*]}; inputs in $build/findings. Each belongs in the" \
        "corpus with the change that cures it." >&2
    exit 1
fi
echo "run-fuzz: ${#names[@]} targets, no findings"
