#!/bin/sh
# Fetches a Debian kernel for the tests that boot one in QEMU: its image and the few modules they load, about 12 MB in
# a cache folder. Nothing is installed, no root is needed. Prints the folder.
#   sh deploy/kernel.sh
set -eu
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

[ "$(uname -m)" = x86_64 ] || stop "only for x86-64: the guest runs this computer's own programs"
folder=${WERKPULS_TEST_KERNEL:-${XDG_CACHE_HOME:-$HOME/.cache}/werkpuls/kernel}
if ls "$folder"/boot/vmlinuz-* >/dev/null 2>&1; then
  if [ -n "$(find "$folder" -name 'uhid.ko*')" ]; then
    printf '%s\n' "$folder"
    exit 0
  fi
  # Fetched before the tests needed this module. A folder that somebody named may hold more than a kernel.
  [ -z "${WERKPULS_TEST_KERNEL:-}" ] || stop "$folder holds a kernel without uhid; name an empty folder"
  rm -rf "$folder"
fi
[ ! -e "$folder" ] || rmdir "$folder" 2>/dev/null || stop "$folder exists and holds something else"
package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[0-9]\)/\1/p' | head -n 1)
[ -n "$package" ] || stop "apt knows no linux-image-amd64; run apt-get update"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
say "fetching $package (apt-get download)"
(cd "$work" && apt-get download -qq "$package" >/dev/null 2>&1) || stop "apt-get download $package failed"
mkdir "$work/kernel"
dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -C "$work/kernel" --wildcards \
  '*/boot/vmlinuz-*' '*/drivers/i2c/*' '*/drivers/virtio/*' '*/9p/*' '*/netfs/*' '*/fscache/*' \
  '*/hid/hid.ko*' '*/hid/uhid.ko*' '*/hid/hid-sensor-hub.ko*' '*/iio/industrialio*' '*/iio/buffer/*' '*/fs/configfs/*' \
  '*/iio/common/hid-sensors/*' '*/iio/accel/hid-sensor-accel-3d.ko*'
mkdir -p "$(dirname "$folder")"
mv "$work/kernel" "$folder"
printf '%s\n' "$folder"
