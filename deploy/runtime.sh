#!/bin/sh
# Makes ready another Python that grades pictures, for the tests and benchmarks that compare what both say: its packages come from
# the lock files into a cache folder, nothing is installed. Prints the command that starts it. Needs .venv (`sh deploy/test.sh`).
#   sh deploy/runtime.sh tflite     this computer's Python 3.11 with tflite-runtime and numpy 1
#   sh deploy/runtime.sh aarch64    a Python for the Raspberry Pi's processor, run by QEMU (about 180 MB are fetched)
set -eu
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

suite=trixie # Debian 13: QEMU 7 of Debian 12 crashes in LiteRT
arm_python=3.13
arm_packages="libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblzma5 libpython3.13-minimal libpython3.13-stdlib libssl3t64 libstdc++6
  python3.13-minimal zlib1g"

# locked LOCK NAME…: these packages' entries, all without a name; without markers: pip would ask them of the Python that it runs on.
locked() {
  lock=$1
  shift
  awk -v names="$*" '
    BEGIN { count = split(names, list, " "); for (at = 1; at <= count; at++) wanted[list[at]] }
    /^[a-z0-9]/ { split($0, part, "=="); keep = !count || part[1] in wanted; sub(/ ;.*\\$/, " \\") }
    keep' "$lock"
}

# wheels FOLDER VERSION MACHINE: what standard input pins, as that Python on that machine takes it.
wheels() {
  list=$(mktemp)
  cat >"$list"
  "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
    --target "$1" --only-binary :all: --python-version "$2" --implementation cp \
    --platform "manylinux_2_28_$3" --platform "manylinux_2_27_$3" --platform "manylinux_2_17_$3" --platform "manylinux2014_$3" \
    -r "$list" || { rm -f "$list"; stop "fetching packages failed; is there a network?"; }
  rm -f "$list"
}

# starter FOLDER COMMAND…: the file `python` in it, that starts COMMAND with the packages beside it.
starter() {
  file=$1/python
  shift
  # shellcheck disable=SC2016  # it is for the file
  { printf '#!/bin/sh\nhere=$(dirname "$0")\nexport PYTHONPATH="$here/site${PYTHONPATH:+:$PYTHONPATH}" PYTHONNOUSERSITE=1\n'
    printf 'exec %s "$@"\n' "$*"; } >"$file"
  chmod 755 "$file"
}

# debian FOLDER: its debs of the suite, through apt's own server and keys but none of this system's lists.
debian() {
  server=$(apt-cache policy 2>/dev/null | sed -n 's/^ *[0-9]* \([a-z]*:[^ ]*\) [^ ]*\/main amd64 .*/\1/p' | grep '/debian/*$' | head -n 1)
  [ -n "$server" ] || stop "apt has no Debian server for amd64; this needs Debian"
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  printf 'deb [arch=amd64,arm64 signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg "$server" "$suite" >"$1/sources.list"
  cat >"$1/apt.conf" <<END
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$1/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$1/cache";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
END
  # shellcheck disable=SC2046,SC2086  # one word each
  (export APT_CONFIG="$1/apt.conf" && cd "$1" && apt-get update -qq && apt-get download -qq qemu-user:amd64 $(printf '%s:arm64 ' $arm_packages)) \
    >/dev/null 2>&1 || stop "fetching QEMU and Python for arm64 from Debian $suite failed"
}

make_tflite() {
  python=""
  for candidate in python3.11 python3 /usr/bin/python3; do
    [ "$(python_version "$candidate" || true)" != 3.11 ] || { python=$("$candidate" -c 'import sys; print(sys.executable)') && break; }
  done
  [ -n "$python" ] || stop "no Python 3.11 is here, and tflite-runtime ends there"
  locked "$root/deploy/locks/camera-py311.txt" | wheels "$1/site" 3.11 "$(uname -m)"
  starter "$1" "'$python'"
}

make_aarch64() {
  [ "$(uname -m)" = x86_64 ] || stop "QEMU for arm64 is for x86-64"
  mkdir "$1/debs" "$1/root"
  debian "$1/debs"
  dpkg-deb --fsys-tarfile "$1"/debs/qemu-user_*.deb | tar -x -O ./usr/bin/qemu-aarch64 >"$1/qemu-aarch64"
  chmod 755 "$1/qemu-aarch64"
  for deb in "$1"/debs/*_arm64.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$1/root" --exclude './usr/share/*'
  done
  ln -s usr/lib "$1/root/lib"
  rm -rf "$1/debs"
  locked "$root/deploy/locks/camera.txt" ai-edge-litert msgspec numpy opencv-python-headless | wheels "$1/site" "$arm_python" aarch64
  # shellcheck disable=SC2016  # it is for the file
  starter "$1" '"$here/qemu-aarch64" -L "$here/root" "$here/root/usr/bin/python'"$arm_python"'"'
}

kind=${1:-}
case "$kind" in
  tflite) lock=$root/deploy/locks/camera-py311.txt ;;
  aarch64) lock=$root/deploy/locks/camera.txt ;;
  *) stop "say which: sh deploy/runtime.sh tflite, or aarch64" ;;
esac
[ -x "$root/.venv/bin/python" ] || stop ".venv is missing; sh deploy/test.sh makes it"
caches=${XDG_CACHE_HOME:-$HOME/.cache}/werkpuls
folder=$caches/$kind-$(cat "$lock" "$root/deploy/runtime.sh" | cksum | cut -d ' ' -f 1)
if [ ! -x "$folder/python" ]; then
  mkdir -p "$caches"
  work=$(mktemp -d "$caches/making.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' INT TERM
  chmod 755 "$work"
  say "making ready a Python with another runtime ($kind)"
  "make_$kind" "$work"
  "$work/python" -c 'import msgspec' || stop "the Python that was made does not run"
  mv "$work" "$folder"
fi
# As a shell, or shlex, reads a command: the path may have blanks in it.
printf "'%s'\n" "$(printf '%s' "$folder/python" | sed "s/'/'\\\\''/g")"
