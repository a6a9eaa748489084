#!/usr/bin/env bash
# Installs what is missing of Debian's packages. Does nothing, quickly, when all is there.
#   scripts/install-deps.sh [GROUP...]      default: build; console is what the web console is built
#   with, browser what its tests take; the others: pictures, test, check, coverage, interop, soak, fuzz
set -euo pipefail

packages() {
    case "$1" in
    build)
        echo build-essential meson ninja-build pkg-config libssl-dev libsqlite3-dev \
            libcurl4-openssl-dev libyaml-dev libjansson-dev libhttp-parser-dev zlib1g-dev \
            libisal-dev libxmlsec1-dev libseccomp-dev python3 openssl procps
        ;;
    console)
        # The web console is built with Node, which may be there from elsewhere.
        echo $(command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm)
        ;;
    browser) echo chromium fonts-inter ;;
    pictures) echo python3-pil ;;
    test) echo libcmocka-dev python3-pytest python3-jsonschema git ;;
    check) echo clang-14 clang-format-14 git python3 ;;
    interop)
        # Other installations of Node, Maven and Java do, and may not go with Debian's.
        echo python3-oscrypto python3-venv python3-pip \
            $(command -v npm >/dev/null || echo nodejs npm) \
            $(command -v mvn >/dev/null || echo maven) \
            $(command -v javac >/dev/null || echo default-jdk-headless)
        ;;
    coverage) echo gcovr ;;
    soak) echo python3-matplotlib ;;
    fuzz) echo clang-14 libclang-rt-14-dev ;;
    *)
        echo "install-deps: no group $1 (build, console, browser, pictures, test, check, coverage, interop, soak, fuzz)" >&2
        exit 2
        ;;
    esac
}

wanted=()
for group in "${@:-build}"; do
    list=$(packages "$group")
    read -r -a more <<<"$list"
    wanted+=("${more[@]}")
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "install-deps: this is not Debian; install the equivalents of: ${wanted[*]}" >&2
    exit 0
fi

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    if ! grep -qx "$package installed" <<<"$installed"; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: neither root nor sudo; as root run: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "installing: ${missing[*]}"
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null
}
apt update
apt install -y --no-install-recommends "${missing[@]}"
