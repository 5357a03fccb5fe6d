#!/bin/sh
# Brings an installation up to date with the release that this file lies in: program, packages, users, units, the broker's rules.
# Settings (*.toml, werkpuls.conf, certificates) stay as they are. What is up to date already is left alone, so it can be run again.
#   cd /opt/werkpuls && sudo git pull && sudo sh deploy/update.sh     a checkout
#   sudo sh /media/usb/werkpuls-1.2/deploy/update.sh                  an unpacked release; without internet where it has a folder `wheels`
#   sudo sh deploy/update.sh --lock camera.txt                        with another set of packages than before
# $DESTDIR stands before every path outside of the release, as in other installers.
set -eu
umask 022
# shellcheck source=deploy/setup.sh
. "$(dirname "$0")/setup.sh"

base=${DESTDIR:-}
target=$base/opt/werkpuls
units=$base/etc/systemd/system
next=$target/.next
rules=$base/etc/mosquitto/werkpuls/werkpuls.acl
broker=$base/etc/mosquitto/conf.d/werkpuls.conf
changes=${WERKPULS_CHANGES:-0}

# changed GERMAN ENGLISH: something that was done.
changed() {
  changes=$((changes + 1))
  say "$@"
}

# put FILE PLACE: writes a file to its place if it is not there like this, with the former one's owner and rights.
# Fails if nothing was to be done.
put() {
  if cmp -s "$1" "$2"; then return 1; fi
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  if [ -e "$2" ]; then
    chown --reference="$2" "$2.new"
    chmod --reference="$2" "$2.new"
    cp -p "$2" "$2.before"
  else
    chmod 644 "$2.new"
  fi
  mv "$2.new" "$2"
}

# stage_program: what of the release is not like this in the target, beside its place; what it is, is in $copied.
stage_program() {
  if [ -e "$target/.git" ]; then
    stop "$target ist ein Git-Verzeichnis. Dort: sudo git pull, dann sudo sh deploy/update.sh" \
      "$target is a git checkout. There: sudo git pull, then sudo sh deploy/update.sh"
  fi
  copied=""
  rm -rf "$next"
  mkdir "$next"
  for entry in "$root"/* "$root"/.[!.]*; do
    name=$(basename "$entry")
    case $name in .venv | .git | wheels | *.egg-info | __pycache__ | '.[!.]*') continue ;; esac
    if diff -rq -x __pycache__ "$entry" "$target/$name" >/dev/null 2>&1; then continue; fi
    copied="$copied $name"
    cp -R "$entry" "$next/$name"
  done
  # Unpacked by one who keeps his files to himself, or on a stick that can only be read.
  chmod -R u+rwX,go+rX "$next"
}

# switch_program: what was staged, to its place; what is beside it there (.venv) stays.
switch_program() {
  for entry in "$next"/* "$next"/.[!.]*; do
    [ -e "$entry" ] || continue
    name=$(basename "$entry")
    # What a power cut leaves is the old one or the new one, and the next run goes on.
    rm -rf "$target/.old"
    [ ! -e "$target/$name" ] || mv "$target/$name" "$target/.old"
    mv "$entry" "$target/$name"
  done
  rm -rf "$next" "$target/.old"
  [ -z "$copied" ] || changed "nach $target kopiert:$copied" "copied to $target:$copied"
}

# lock_of_before: the lock file that the packages were installed from; without a record of it, by what is there.
lock_of_before() {
  recorded=$(sed -n 's/^\([a-z0-9-]*\.txt\) .*/\1/p' "$target/.venv/.made-from" 2>/dev/null | tail -n 1)
  if [ -n "$recorded" ] && [ -f "$root/deploy/locks/$recorded" ]; then echo "$recorded"
  elif ls -d "$target"/.venv/lib/python3*/site-packages/uvicorn >/dev/null 2>&1; then echo run.txt
  elif ls -d "$target"/.venv/lib/python3*/site-packages/tflite_runtime >/dev/null 2>&1; then echo camera-py311.txt
  else echo camera.txt
  fi
}

# same_packages: whether what the release needs is installed already.
same_packages() {
  grep -qxF "$lock $(fingerprint "$root/deploy/locks/$lock" "$target")" "$target/.venv/.made-from" 2>/dev/null
}

# locks: the names of all lock files.
locks() { (cd "$root/deploy/locks" && echo *.txt); }

# installed: the names of the daemons that are set up on this computer.
installed() {
  for name in gateway sense watch; do
    [ ! -f "$units/werkpuls-$name.service" ] || echo "$name"
  done
}

# ask_program FOLDER DAEMON: whether the program in FOLDER takes the settings that the daemon has: 0 yes, 2 no, else it did not say.
ask_program() {
  (
    # Modules are looked for here first, then where the packages say that the program is.
    cd "$1"
    case $2 in
      gateway) set -- gateway --check --config "$base/etc/werkpuls/gateway.toml" ;;
      *) set -- edge check --config "$base/etc/werkpuls/node.toml" ;;
    esac
    runuser -u werkpuls -- "$target/.venv/bin/python" -m werkpuls "$@"
  )
}

# check_settings FOLDER GERMAN ENGLISH: stops if a daemon's settings do not fit the program in FOLDER; the words say how things stand then.
check_settings() {
  for daemon in $(installed); do
    status=0
    answer=$(ask_program "$1" "$daemon" 2>&1) || status=$?
    # A release that needs other packages can say no before it has them; its yes may have to wait.
    case $status in 0 | 2) ;; *) [ "$1" != "$next" ] || same_packages || continue ;; esac
    printf '%s\n' "$answer" >&2
    case $status in
      0) ;;
      2) stop "die Einstellungen von werkpuls-$daemon passen nicht zur neuen Version; $2. Berichtigen, dann noch einmal starten." \
        "the settings of werkpuls-$daemon do not fit the new version; $3. Mend them, then run this again." ;;
      *) stop "die neue Version läuft hier nicht und konnte die Einstellungen von werkpuls-$daemon nicht prüfen (der Grund steht darüber); $2." \
        "the new version does not run here and could not check the settings of werkpuls-$daemon (the reason stands above); $3." ;;
    esac
  done
}

# own_rules FILE: the rules in it for users that are not the program's: other devices, and nodes that read them. A pattern is none: it
# holds for everybody wherever it stands, and the release's own are all that the program needs.
own_rules() {
  awk 'NR == FNR { shipped[$0]; next }
    $1 == "user" { own = $2 != "gateway" }
    own && $1 != "pattern" && !(/^#/ && $0 in shipped)' "$root/deploy/mosquitto/werkpuls.acl" "$1"
}

# update_rules: the broker's rules are the release's, with the own ones below.
update_rules() {
  merged=$(mktemp)
  { cat "$root/deploy/mosquitto/werkpuls.acl"; own_rules "$rules"; } >"$merged"
  left_out=$(grep -v '^ *\(#\|$\)' "$rules" | grep -vxFf "$merged" || true)
  if put "$merged" "$rules"; then
    changed "Regeln des Brokers erneuert (die alten: $rules.before)" "renewed the broker's rules (the old ones: $rules.before)"
    [ -z "$left_out" ] || say "darin nicht mehr enthalten: $left_out" "no longer in them: $left_out"
    systemctl reload mosquitto || say "mosquitto läuft nicht" "mosquitto does not run"
  fi
  rm -f "$merged"
}

# tell_broker: which settings of the release the broker's file lacks; it is the person's, and stays.
tell_broker() {
  grep -v '^ *\(#\|$\)' "$root/deploy/mosquitto/werkpuls.conf" | while read -r key value; do
    case $key in listener | autosave_interval) continue ;; esac
    grep -q "^ *$key " "$broker" ||
      say "in $broker fehlt: $key $value" "$broker lacks: $key $value"
  done
}

lock=""
while [ $# -gt 0 ]; do
  case $1 in
    --lock) lock=${2:-} && shift ;;
    *) stop "unbekannt: $1; möglich ist --lock DATEI" "unknown: $1; possible is --lock FILE" ;;
  esac
  shift
done
[ -z "$lock" ] || [ -f "$root/deploy/locks/$lock" ] ||
  stop "--lock $lock: gibt es nicht; möglich: $(locks)" "--lock $lock: there is none; possible: $(locks)"
[ "$(id -u)" = 0 ] || stop "bitte mit sudo starten: sudo sh $0" "start it with sudo: sudo sh $0"
[ -d "$target/.venv" ] ||
  stop "in $target ist nichts installiert; die erste Einrichtung steht in docs/de/einstieg.md" \
    "nothing is installed in $target; docs/install.md says how to begin"

[ -n "$lock" ] || lock=$(lock_of_before)
wheels=${WERKPULS_WHEELS:-$root/wheels}
if [ "$(cd "$root" && pwd -P)" != "$(cd "$target" && pwd -P)" ]; then
  trap 'rm -rf "$next"' EXIT
  stage_program
  [ -z "$copied" ] || check_settings "$next" "verändert ist noch nichts" "nothing was changed yet"
  switch_program
  # From here on in its place; what is copied is told already.
  WERKPULS_WHEELS=$wheels WERKPULS_CHANGES=$changes exec sh "$target/deploy/update.sh" --lock "$lock"
fi

if [ -d "$wheels" ]; then
  # A link: pip takes a blank in the path for the end of it.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  ln -s "$wheels" "$scratch/wheels"
  export PIP_NO_INDEX=1 PIP_FIND_LINKS="$scratch/wheels"
fi
# The daemons' user reads the program; who unpacked or pulled it may keep his files to himself.
chmod go+rX "$root"
(cd "$root" && find edge gateway models werkpuls wire ! -type l ! -perm -044 -exec chmod go+rX {} +)
before=$(cat "$root/.venv/.made-from" 2>/dev/null || true)
make_venv "$root/deploy/locks/$lock"
[ "$before" = "$(cat "$root/.venv/.made-from")" ] || changed "Pakete: $lock" "packages: $lock"

if put "$root/systemd/werkpuls.sysusers" "$base/etc/sysusers.d/werkpuls.conf"; then
  systemd-sysusers
  changed "Benutzer und Gruppen angelegt" "made users and groups"
fi
if [ ! -e "$base/usr/local/bin/werkpuls" ]; then
  mkdir -p "$base/usr/local/bin"
  ln -sf "$root/.venv/bin/werkpuls" "$base/usr/local/bin/werkpuls"
  changed "Befehl werkpuls verlinkt" "linked the command werkpuls"
fi

# Before a daemon is started anew: an unfit setting would keep it down.
check_settings "$root" "das Programm ist schon das neue: Was läuft, läuft weiter, startet so aber nicht mehr neu" \
  "the program is the new one already: what runs goes on running, but would not start again"

reload=""
for daemon in $(installed); do
  unit=werkpuls-$daemon.service
  if put "$root/systemd/$unit" "$units/$unit"; then
    reload=yes
    changed "Dienst $unit erneuert (der alte: $units/$unit.before)" "renewed the unit $unit (the old one: $units/$unit.before)"
  fi
done
[ -z "$reload" ] || systemctl daemon-reload
[ ! -f "$rules" ] || update_rules
[ ! -f "$broker" ] || tell_broker

# What each daemon was last started from is kept: a run that was cut off, or a checkout that was pulled by hand, is seen by it.
program() {
  (cd "$root" && find edge gateway models werkpuls wire -name __pycache__ -prune -o -type f -exec cksum {} + | sort | cksum)
}
failed=""
for daemon in $(installed); do
  started=$root/.venv/.started-$daemon
  stamp=$({ program; cat "$root/.venv/.made-from" "$units/werkpuls-$daemon.service"; } | cksum)
  if systemctl is-active --quiet "werkpuls-$daemon"; then
    [ "$(cat "$started" 2>/dev/null)" != "$stamp" ] || continue
  else
    # One that gave up over its settings stays down by itself; one that was switched off is to stay so.
    systemctl is-enabled --quiet "werkpuls-$daemon" || continue
  fi
  if systemctl restart "werkpuls-$daemon"; then
    printf '%s\n' "$stamp" >"$started"
    changed "werkpuls-$daemon neu gestartet" "restarted werkpuls-$daemon"
  else
    failed="$failed werkpuls-$daemon"
  fi
done
for daemon in $(installed); do
  case "$failed " in *" werkpuls-$daemon "*) continue ;; esac
  if systemctl is-active --quiet "werkpuls-$daemon" || ! systemctl is-enabled --quiet "werkpuls-$daemon"; then continue; fi
  failed="$failed werkpuls-$daemon"
done

if cmp -s "$base/etc/werkpuls/tls/page.key" "$base/etc/mosquitto/werkpuls/broker.key"; then
  say "die Seite hat den Schlüssel des Brokers; besser ein eigener: werkpuls certs --folder /root/werkpuls-tls --page RECHNER (docs/de/einstieg.md)" \
    "the page has the broker's key; better one of its own: werkpuls certs --folder /root/werkpuls-tls --page HOST (docs/install.md)"
fi
[ -z "$failed" ] || stop "startet nicht:$failed; journalctl -u NAME -e sagt, warum" "does not start:$failed; journalctl -u NAME -e says why"
[ "$changes" != 0 ] || say "alles war schon auf dem neuesten Stand" "everything was up to date already"
