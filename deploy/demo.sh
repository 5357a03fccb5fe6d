#!/bin/sh
# Sets up everything on a fresh Debian or Raspberry Pi OS and runs the demo; passes its arguments to `werkpuls demo`.
#   sh deploy/demo.sh
#   sh deploy/demo.sh --for 60 --fault bearing_outer@20 --json
set -eu
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

need_command mosquitto mosquitto
make_venv "$root/deploy/locks/run.txt"
exec "$root/.venv/bin/python" -m werkpuls demo "$@"
