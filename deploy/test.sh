#!/bin/sh
# Sets up what the tests need on a fresh machine and runs every check and test. Arguments go to pytest.
#   sh deploy/test.sh
#   sh deploy/test.sh tests/wire -x
set -eu
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

need_command mosquitto mosquitto
want_command victoria-metrics victoria-metrics
want_command influxd influxdb
want_command chromium chromium
want_command chromedriver chromium-driver
want_command faketime faketime
want_command systemd-analyze systemd
want_command shellcheck shellcheck
if [ "$(uname -m)" = x86_64 ]; then
  want_command qemu-system-x86_64 qemu-system-x86
  want_command busybox busybox-static
  sh "$root/deploy/kernel.sh" >/dev/null || say "LACKING: a kernel for QEMU: the tests that boot one will be skipped"
fi
make_venv "$root/deploy/locks/dev.txt"

# Other runtimes that the same pictures are graded with; fetched while the code is looked at.
for kind in tflite aarch64; do
  timeout 150 sh "$root/deploy/runtime.sh" "$kind" >"$root/.venv/.$kind" || {
    : >"$root/.venv/.$kind"
    say "LACKING: another Python to grade with ($kind): the test that needs it will be skipped"
  } &
done

bin=$root/.venv/bin
export PATH="$bin:$PATH:/usr/sbin:/usr/local/sbin"
failed=""
check() {
  title=$1
  shift
  say "--- $title"
  "$@" || failed="$failed
  $title"
}
check "ruff (rules)" "$bin/ruff" check --quiet .
check "ruff (format)" "$bin/ruff" format --quiet --check .
check "import rules" "$bin/lint-imports"
check "types" "$bin/mypy"
wait
WERKPULS_TFLITE=${WERKPULS_TFLITE:-$(cat "$root/.venv/.tflite")}
WERKPULS_AARCH64=${WERKPULS_AARCH64:-$(cat "$root/.venv/.aarch64")}
export WERKPULS_TFLITE WERKPULS_AARCH64
# The tests of a file stay in one process, in their order: they share what takes long to start, and some go on from one another. (The
# groups of pytest-xdist 3.8 are not seen by pytest 9.2.)
check "tests" "$bin/python" -m pytest -n "${WERKPULS_TEST_WORKERS:-auto}" --dist loadfile -r s "$@"
[ -z "$failed" ] || stop "FAILED:$failed"
say "everything passed"
