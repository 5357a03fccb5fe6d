#!/bin/sh
# Makes the lock files anew from pyproject.toml. Needs uv in the venv (`.venv/bin/pip install uv`).
# Installing never needs uv: the files are read by `pip install --require-hashes`.
set -eu
cd "$(dirname "$0")/.."
compile() {
  out=$1
  shift
  ${UV:-.venv/bin/uv} pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-annotate --custom-compile-command "sh deploy/lock.sh" --output-file "$out" "$@"
  echo "$out: $(grep -c '==' "$out") packages"
}
# setuptools builds the project itself without a download of its own.
echo 'setuptools>=77' | compile deploy/locks/run.txt pyproject.toml - --extra node --extra camera --extra gateway --extra recordings
echo 'setuptools>=77' | compile deploy/locks/dev.txt pyproject.toml - --extra node --extra camera --extra gateway --extra recordings --extra dev
echo 'setuptools>=77' | compile deploy/locks/camera.txt pyproject.toml - --extra node --extra camera
echo 'setuptools>=77' | compile deploy/locks/train.txt pyproject.toml - --extra camera --extra train
echo 'setuptools>=77' | compile deploy/locks/camera-py311.txt pyproject.toml - --extra camera-py311
