#!/bin/sh
# Sets up everything on a fresh Debian or Raspberry Pi OS and runs the demo; passes its arguments to `werkpuls demo`.
#   sh deploy/demo.sh
#   sh deploy/demo.sh --for 60 --fault bearing_outer@20 --json
set -eu
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

need_command mosquitto mosquitto

# Where there is no OpenCV or no TFLite runtime for this computer, everything but the camera runs.
lock=$root/deploy/locks/run.txt
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
blind=$scratch/run-without-camera.txt
awk '/^[a-z0-9]/ { left_out = /^(opencv-python-headless|ai-edge-litert)==/ } !left_out' "$lock" >"$blind"
if ! grep -qxF "$(basename "$blind") $(fingerprint "$blind")" "$root/.venv/.made-from" 2>/dev/null; then
  if ! (make_venv "$lock"); then
    [ -x "$root/.venv/bin/python" ] || exit 1
    say "once more without OpenCV and the TFLite runtime: the demo then has no camera"
    make_venv "$blind"
  fi
fi
rm -r "$scratch"
exec "$root/.venv/bin/python" -m werkpuls demo "$@"
