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
check "tests" "$bin/python" -m pytest -n "${WERKPULS_TEST_WORKERS:-auto}" --dist loadgroup -r s "$@"
[ -z "$failed" ] || stop "FAILED:$failed"
say "everything passed"
