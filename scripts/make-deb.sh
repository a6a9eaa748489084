#!/usr/bin/env bash
# Makes waybill_VERSION_ARCH.deb of a finished build.
#   scripts/make-deb.sh [BUILD [OUT]]      default: build, and into it
# WAYBILL_MAINTAINER: "Name <mail>" for the control file.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build}
out=${2:-$build}
program=$build/waybill
arch=$(dpkg --print-architecture)
version=$("$program" version | awk 'NR == 1 { print $2 }')
maintainer=${WAYBILL_MAINTAINER:-Waybill maintainers <packages@waybill.example.org>}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH=$epoch

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022
mkdir -p "$root"/{DEBIAN,usr/bin,usr/share/man/man1,lib/systemd/system,etc} \
    "$root"/usr/share/{bash-completion/completions,zsh/vendor-completions,doc/waybill/examples}

# What the program says of itself.
install -m 755 "$program" "$root/usr/bin/waybill"
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/waybill"
"$program" help --man | gzip -9n >"$root/usr/share/man/man1/waybill.1.gz"
"$program" completion bash >"$root/usr/share/bash-completion/completions/waybill"
"$program" completion zsh >"$root/usr/share/zsh/vendor-completions/_waybill"

# Settings to begin with; its examples speak of where they are installed.
"$program" init "$work/init" --data /var/lib/waybill --no-keys >/dev/null
install -d "$root/etc/waybill"
install -m 644 "$work/init/waybill.yaml" "$root/etc/waybill/waybill.yaml"
for f in "$work"/init/components/*.yaml; do
    sed "s|$work/init|/etc/waybill|g" "$f" >"$root/usr/share/doc/waybill/examples/$(basename "$f")"
done
install -m 644 examples/*.yaml "$root/usr/share/doc/waybill/examples/"
install -m 644 docs/*.md "$root/usr/share/doc/waybill/"
install -m 644 packaging/waybill.service "$root/lib/systemd/system/waybill.service"
install -m 644 packaging/debian/copyright "$root/usr/share/doc/waybill/copyright"
printf 'waybill (%s) unstable; urgency=medium\n\n  * Built from the sources.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(date -uR -d "@$epoch")" |
    gzip -9n >"$root/usr/share/doc/waybill/changelog.gz"

# What it needs, as the linker has it.
mkdir -p "$work/shlibs/debian"
printf 'Source: waybill\n\nPackage: waybill\nArchitecture: any\n' >"$work/shlibs/debian/control"
depends=$(cd "$work/shlibs" && dpkg-shlibdeps -O "$root/usr/bin/waybill" 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@MAINTAINER@|$maintainer|" \
    -e "s|@SIZE@|$size|" -e "s|@DEPENDS@|$depends|" packaging/debian/control.in \
    >"$root/DEBIAN/control"
echo /etc/waybill/waybill.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "packaging/debian/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -newermt "@$epoch" -exec touch -hd "@$epoch" {} +

mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/waybill_${version}_$arch.deb"
