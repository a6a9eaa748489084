#!/usr/bin/env bash
# Makes the pictures of docs/console.md with a build that has the console.
#   scripts/screenshots.sh [DIRECTORY]      default: docs/images
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh console browser test pictures
export WAYBILL_BINARY=${WAYBILL_BINARY:-$PWD/build/waybill}
modules=$(dirname "$WAYBILL_BINARY")/console-tests
mkdir -p "$modules"
cp tests/console/package.json tests/console/package-lock.json tests/console/.npmrc "$modules/"
[ -d "$modules/node_modules/playwright-core" ] || (cd "$modules" && npm ci --no-progress)
export WAYBILL_TEST_MODULES=$modules/node_modules
exec /usr/bin/python3 tests/console/pictures.py "${1:-docs/images}"
