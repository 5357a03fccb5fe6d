# shellcheck shell=sh
# Shared by demo.sh and test.sh; sourced, not run. Sets $root and offers: say, stop, need_command, make_venv.

root=$(cd "$(dirname "$0")/.." && pwd)

# As the command itself chooses it (docs/install.md, "The language").
case "${WERKPULS_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}}" in
  "" | C | C.* | POSIX | POSIX.* | de | de[_.@]*) language=de ;;
  *) language=en ;;
esac

# say GERMAN ENGLISH: one of them, to the person; a single text is for developers, and English.
say() {
  [ "$language" = de ] || [ $# = 1 ] || shift
  printf '%s\n' "werkpuls: $1" >&2
}
stop() {
  say "$@"
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else return 1
  fi
}

# find_program NAME…: the first that is there, also in sbin, where a plain user's PATH does not look.
find_program() {
  for wanted in "$@"; do
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$wanted" && return 0
  done
  return 1
}

# apt_install PACKAGE…: installs through apt; fails where there is no apt or no right to use it.
apt_updated=""
apt_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  say "installiere $* (apt)" "installing $* (apt)"
  if [ -z "$apt_updated" ]; then
    as_root apt-get update -qq >/dev/null 2>&1 ||
      say "apt-get update ist gescheitert; weiter mit den Listen, die da sind" "apt-get update failed; trying with the lists that are here"
    apt_updated=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

# need_command PROGRAM PACKAGE: installs PACKAGE when PROGRAM is missing; stops with a clear word when that fails.
need_command() {
  find_program "$1" >/dev/null && return 0
  apt_install "$2" || true
  find_program "$1" >/dev/null && return 0
  stop "'$1' fehlt und ließ sich nicht installieren. Bitte selbst installieren: sudo apt-get install $2" \
    "'$1' is missing and could not be installed. Install it yourself: sudo apt-get install $2"
}

# want_command PROGRAM PACKAGE: as need_command, but goes on without it and says what will be left out.
want_command() {
  find_program "$1" >/dev/null && return 0
  apt_install "$2" || true
  find_program "$1" >/dev/null || say "LACKING: $1 (Debian package $2): the tests that need it will be skipped"
}

python_fits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

# find_python: the one that WERKPULS_PYTHON names, or else the first that fits.
find_python() {
  for candidate in ${WERKPULS_PYTHON:+"$WERKPULS_PYTHON"} python3 python3.13 python3.12 python3.11; do
    python_fits "$candidate" && command -v "$candidate" && return 0
    [ -z "${WERKPULS_PYTHON:-}" ] || return 1
  done
  return 1
}

# python_version PYTHON: such as 3.11
python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# venv_whole FOLDER: whether its Python is the one that its packages are for; a system's upgrade puts another in its place.
venv_whole() {
  version=$(python_version "$1/bin/python") && [ -d "$1/lib/python$version" ]
}

# fingerprint LOCK [FOLDER]: changes with everything that decides what is in the folder's .venv, and with the folder: .venv cannot be moved.
fingerprint() {
  {
    cat "$1" "$root/pyproject.toml" "$root/deploy/setup.sh"
    printf '%s\n' "${2:-$root}" "$(python_version "${2:-$root}/.venv/bin/python")"
  } | cksum
}

# make_venv LOCK: .venv in the project's root with exactly what LOCK pins and the project itself; quick when nothing changed.
make_venv() {
  pins=$1
  venv=$root/.venv
  marker=$venv/.made-from
  case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) stop "das braucht ein 64-Bit-System; für $(uname -m) gibt es numpy, scipy und river nicht fertig. Auf einem Pi das Raspberry Pi OS mit 64 Bit installieren." \
      "this needs a 64-bit system; $(uname -m) has no ready-made packages of numpy, scipy and river. On a Pi install the 64-bit Raspberry Pi OS." ;;
  esac
  if [ -n "${WERKPULS_PYTHON:-}" ] && ! python_fits "$WERKPULS_PYTHON"; then
    stop "WERKPULS_PYTHON: $WERKPULS_PYTHON ist kein Python 3.11, 3.12 oder 3.13" \
      "WERKPULS_PYTHON: $WERKPULS_PYTHON is no Python 3.11, 3.12 or 3.13"
  fi
  made=""
  if venv_whole "$venv"; then made=$version; fi
  if [ -n "${WERKPULS_PYTHON:-}" ] && [ "$made" != "$(python_version "$WERKPULS_PYTHON")" ]; then
    made=""
  fi
  if [ -n "$made" ] && [ -f "$marker" ] && grep -qxF "$(basename "$pins") $(fingerprint "$pins")" "$marker"; then
    return 0
  fi
  if [ -z "$made" ] || ! python_fits "$venv/bin/python"; then
    python=$(find_python) || { apt_install python3 python3-venv || true; python=$(find_python) ||
      stop "Python 3.11, 3.12 oder 3.13 fehlt. Debian 12, Debian 13 und Raspberry Pi OS (64 Bit) haben es: sudo apt-get install python3 python3-venv" \
        "Python 3.11, 3.12 or 3.13 is missing. Debian 12, Debian 13 and Raspberry Pi OS (64 bit) have it: sudo apt-get install python3 python3-venv"; }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv ||
      stop "das Python-Modul venv fehlt: sudo apt-get install python3-venv" \
        "Python's venv module is missing: sudo apt-get install python3-venv"
    say "lege .venv mit $("$python" --version) an" "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv" || stop "$venv ließ sich nicht anlegen" "could not make $venv"
  fi
  say "installiere die Pakete aus $(basename "$pins") (beim ersten Mal dauert das bis zu zehn Minuten)" \
    "installing the packages that $(basename "$pins") pins (the first time this takes up to ten minutes)"
  # Not done yet, but which packages they are to be is known also to a run after this one.
  printf '%s unfinished\n' "$(basename "$pins")" >"$marker"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$pins" ||
    stop "die Pakete ließen sich nicht installieren; gibt es Internet? Noch einmal starten: was schon da ist, bleibt." \
      "installing the packages failed; is there a network? Run it again: what is there already is kept."
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root" ||
    stop "Werkpuls ließ sich nicht in .venv installieren" "installing Werkpuls into .venv failed"
  # A development lock holds everything a run lock does; a run after it needs nothing new.
  {
    printf '%s %s\n' "$(basename "$pins")" "$(fingerprint "$pins")"
    if [ "$(basename "$pins")" = dev.txt ]; then
      printf 'run.txt %s\n' "$(fingerprint "$root/deploy/locks/run.txt")"
    fi
  } >"$marker"
}
