#!/bin/sh
# Two gateways on this machine exchange files over TLS. `make demo` builds first, then runs this.
# KEEP=1 leaves the files in place. WAYBILL_BINARY names another program than build/waybill.
cd "$(dirname "$0")/.." || exit 1
exec "${PYTHON:-/usr/bin/python3}" scripts/demo.py "$@"
