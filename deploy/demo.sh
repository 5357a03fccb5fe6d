#!/bin/sh
# Sets up everything on a fresh Debian or Raspberry Pi OS and runs the demo; passes its arguments to `werkpuls demo`.
#   sh deploy/demo.sh
#   sh deploy/demo.sh --for 60 --fault bearing_outer@20 --json
set -eu
before=""
for word in "$@"; do
  [ "$before" != --lang ] || WERKPULS_LANG=$word
  case $word in --lang=*) WERKPULS_LANG=${word#--lang=} ;; esac
  before=$word
done
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

need_command mosquitto mosquitto

# Where OpenCV or a TFLite runtime cannot be installed, everything but the camera runs. Whether this computer has none or the
# network failed cannot be told apart, so that the next run tries again.
lock=$root/deploy/locks/run.txt
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
blind=$scratch/run-without-camera.txt
awk '/^[a-z0-9]/ { left_out = /^(opencv-python-headless|ai-edge-litert)==/ } !left_out' "$lock" >"$blind"
made=$root/.venv/.made-from
if grep -qxF "$(basename "$blind") $(fingerprint "$blind")" "$made" 2>/dev/null; then
  cp "$made" "$scratch/made-from"
  say "versuche noch einmal, zu installieren, was die Kamera braucht" "trying again to install what the camera needs"
  (
    export PIP_RETRIES=0
    make_venv "$lock"
  ) || {
    # What cannot be fetched whole changes nothing.
    cp "$scratch/made-from" "$made"
    say "die Vorführung hat keine Kamera" "the demo has no camera"
  }
elif ! (make_venv "$lock"); then
  [ -x "$root/.venv/bin/python" ] || exit 1
  say "noch einmal ohne OpenCV und TFLite: die Vorführung hat dann keine Kamera, und beim nächsten Mal wird es wieder versucht" \
    "once more without OpenCV and the TFLite runtime: the demo then has no camera, and the next run tries again"
  make_venv "$blind"
fi
rm -r "$scratch"
exec "$root/.venv/bin/python" -m werkpuls demo "$@"
