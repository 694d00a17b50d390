# shellcheck shell=bash
# lib.sh: what tools/run, stop, test and try share: words to the person, where things live, Debian packages, the build, and
# processes by their pid. PostgreSQL and Redis are in services.sh. Sourced, never run; callers have `set -euo pipefail`.
#
# Always holds: $root is the clone, $build the build tree; after var_resolve $AIPOTEN_VAR is an absolute path.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034 # who sources this uses it
build=$(realpath -ms "${AIPOTEN_BUILD:-$root/build/release}")

# --- words ------------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
# die SENTENCE [WHAT TO DO NEXT]
die() {
  printf '\n%s: %s\n' "${0##*/}" "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "${@:2}" >&2
  exit 1
}

step_began=0
# step WORDS: names what begins now; step_done WORDS says how it went and how long it took.
step() {
  step_began=${EPOCHREALTIME/[.,]/}
  printf '==> %s\n' "$*"
}
step_done() {
  local took=$(((${EPOCHREALTIME/[.,]/} - step_began) / 100000))
  note "$1 ($((took / 10)).$((took % 10)) s)"
}

# quietly LOG COMMAND…: its output goes to the file; when it fails the end of the file is shown.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    return 1
  fi
}

# --- where things live --------------------------------------------------------------------------------------------------

is_root() { [ "$(id -u)" = 0 ]; }
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

# Settles AIPOTEN_VAR: sockets, logs, secrets (the supervisor hands its children what they may use of it).
var_resolve() {
  AIPOTEN_VAR=$(realpath -m "${AIPOTEN_VAR:-$root/var}")
  mkdir -p "$AIPOTEN_VAR"
  export AIPOTEN_VAR
}

# --- Debian packages ----------------------------------------------------------------------------------------------------

package_is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Names of packages/LIST… that are not installed. "NAME unless PROGRAM": a program from elsewhere does as well.
packages_missing() {
  local name list program
  for list in "$@"; do
    sed -E 's/#.*//; s/[[:space:]]+$//; /^$/d' "$root/tools/packages/$list"
  done | while read -r name _ program; do
    if [ -n "$program" ] && command -v "$program" >/dev/null; then continue; fi
    package_is_installed "$name" || printf '%s\n' "$name"
  done
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"
}

# Debian's server packages start servers of their own on the usual ports. We need none of these and do not leave any that comes
# with what is installed here; a server that was there before is not touched.
servers_prevent() {
  local file=/etc/postgresql-common/createcluster.conf
  [[ " $* " == *" postgresql-15 "* ]] || return 0
  if package_is_installed postgresql-common || [ -e "$file" ]; then return 0; fi
  as_root mkdir -p "${file%/*}"
  printf '%s\n' '# Written by tools/run of aipoten, which makes a cluster of its own below its var directory.' \
    'create_main_cluster = false' | as_root tee "$file" >/dev/null
}
servers_quiet() {
  [[ " $* " == *" redis-server "* ]] && [ -d /run/systemd/system ] || return 0
  as_root systemctl --quiet disable --now redis-server >/dev/null 2>&1 ||
    warn "Debian's own redis-server goes on on port 6379; aipoten does not use it"
}

# The list of packages is read again only when it does not know a package, or an install failed with the old list.
packages_install() {
  local log=$root/build/packages.log missing
  mapfile -t missing < <(packages_missing "$@")
  if [ ${#missing[@]} = 0 ]; then
    note "all there"
    return
  fi
  command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get: ${missing[*]}" \
    "aipoten runs on Debian 12; elsewhere install what these packages hold, then run this again."
  is_root || command -v sudo >/dev/null || die "packages are missing: ${missing[*]}" \
    "Install them as root: apt-get install ${missing[*]}"
  note "installing ${missing[*]}"
  servers_prevent "${missing[@]}"
  if ! apt_get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 </dev/null; then
    quietly "$log" apt_get update || die "apt-get update failed (all of it: $log)" \
      "Check the network and /etc/apt/sources.list, then run this again."
    quietly "$log" apt_get install -y --no-install-recommends "${missing[@]}" || die "apt-get install failed (all of it: $log)" \
      "Mend what it names (a full disk? a broken package?), then run this again."
  fi
  servers_quiet "${missing[@]}"
}

# promtool_install DIRECTORY: Prometheus' own checker, out of Debian's package, which is not installed: it would start a server, and
# bring a dozen packages for its pages.
promtool_install() {
  local package=$1/package
  if [ -x "$1/promtool" ]; then return; fi
  rm -rf "$package"
  mkdir -p "$package"
  if ! (cd "$package" && quietly "$1/download.log" apt-get download prometheus); then
    quietly "$1/download.log" apt_get update || die "apt-get update failed (all of it: $1/download.log)" "Check the network."
    (cd "$package" && quietly "$1/download.log" apt-get download prometheus) || die "Debian's package prometheus cannot be fetched"
  fi
  dpkg-deb --fsys-tarfile "$package"/prometheus_*.deb | tar -xO ./usr/bin/promtool >"$package/promtool"
  chmod +x "$package/promtool"
  mv "$package/promtool" "$1/promtool"
  rm -rf "$package"
}

# --- the build ------------------------------------------------------------------------------------------------------------

# build_tree DIRECTORY CMAKE_ARGUMENTS…: configured once, then ninja, which does nothing when nothing changed. In a subshell:
# the processes run what is built as another user, whatever the umask is.
build_tree() (
  local tree=$1
  shift
  umask 022
  if [ ! -f "$tree/build.ninja" ]; then
    quietly "$tree/configure.log" cmake -S "$root" -B "$tree" -G Ninja "$@" ||
      die "cmake cannot configure $tree" "Mend what it names, or remove $tree and run this again."
  fi
  if [ -t 1 ]; then
    NINJA_STATUS='    [%f/%t] ' ninja -C "$tree" # one line that counts
  else
    ninja -C "$tree" --quiet | sed '/^ninja: no work to do/d'
  fi || die "the build in $tree failed, see above" "After mending: ninja -C $tree"
)

# --- processes ---------------------------------------------------------------------------------------------------------------

# pid_of FILE NAME: prints the pid in the file's first line when such a process of that name lives; false otherwise.
pid_of() {
  local pid name
  read -r pid 2>/dev/null <"$1" || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  read -r name 2>/dev/null <"/proc/$pid/comm" || return 1
  if [ "$name" != "${2:0:15}" ] || pid_gone "$pid"; then return 1; fi
  printf '%s\n' "$pid"
}

# wait_for SECONDS COMMAND…: until the command succeeds; false when time is up.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $until ] || return 1
    sleep 0.05
  done
}

# A zombie is gone too: in a container nobody may come to collect it. So is what is collected while we look.
pid_gone() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || true
  [[ $state = '' || $state = [ZX] ]]
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# A free loopback port, at random so that two systems starting at once do not meet.
port_choose() {
  local port tries
  for tries in {1..200}; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if port_is_free "$port"; then
      printf '%s\n' "$port"
      return
    fi
  done
  die "no free port found in $tries tries" "Look at what listens: ss -ltn"
}
secret_make() { openssl rand -hex 24; }

# system_url SCHEME: where the running system is listening, as its supervisor says; nothing when it does not.
system_url() {
  "$root/tools/aipotenctl" status 2>/dev/null | grep -oE "(^|[[:space:]])$1://[^[:space:]]+" | head -n 1 | tr -d '[:space:]' || true
}
