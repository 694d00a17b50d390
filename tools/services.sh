# shellcheck shell=bash
# services.sh: the private PostgreSQL 15 and Redis below $AIPOTEN_VAR, for who gives no DATABASE_URL or REDIS_URL.
# Sourced after lib.sh; callers call var_resolve and services_load first.
#
# Always holds: both listen on loopback only, neither runs as root, both want a password that is made at first run and kept
# in $AIPOTEN_VAR/services.env (0600) with their ports. PostgreSQL keeps its durable defaults (fsync, synchronous_commit).
# PostgreSQL's log holds no personal data: no statements, no DETAIL lines.

postgres_bin=/usr/lib/postgresql/15/bin
# Decided once, before services_load sets what was not given.
postgres_is_ours=true redis_is_ours=true postgres_password_is=kept
[ -z "${DATABASE_URL:-}" ] || postgres_is_ours=false
[ -z "${REDIS_URL:-}" ] || redis_is_ours=false

# server_run USER COMMAND…: nothing of our environment, which has passwords, is for the servers.
server_run() {
  local user=$1 clean=(env -i "PATH=$PATH" LANG=C.UTF-8)
  shift
  if is_root; then (cd / && exec runuser -u "$user" -- "${clean[@]}" "$@"); else "${clean[@]}" "$@"; fi
}
as_postgres() { server_run postgres "$@"; }
as_redis() { server_run redis "$@"; }

# Can every user walk to this path? Below /root or a private directory nobody but root can.
path_is_open() {
  local path=$1
  while :; do
    [ $((8#$(stat -Lc %a "$path") & 1)) = 1 ] || return 1
    [ "$path" != / ] || return 0
    path=$(dirname "$path")
  done
}

# Sets services_home, where both keep their data: $AIPOTEN_VAR, or a directory below /var/lib/aipoten that is named after it
# when root's clone lies where the users postgres and redis cannot go.
services_place() {
  services_home=$AIPOTEN_VAR
  if is_root && ! path_is_open "$(dirname "$AIPOTEN_VAR")"; then
    services_home=/var/lib/aipoten/$(printf %s "$AIPOTEN_VAR" | sha256sum | cut -c1-12)
  fi
}

# --- ports and passwords -----------------------------------------------------------------------------------------------------

services_file() { printf '%s\n' "$AIPOTEN_VAR/services.env"; }

# Reads what is kept; sets DATABASE_URL and REDIS_URL where the environment gave none. False when nothing is kept yet.
services_load() {
  services_place
  [ -f "$(services_file)" ] || return 1
  # shellcheck source=/dev/null
  . "$(services_file)"
  if $postgres_is_ours; then
    export DATABASE_URL="postgresql://aipoten_migrator:$POSTGRES_PASSWORD@127.0.0.1:$POSTGRES_PORT/aipoten"
  fi
  if $redis_is_ours; then
    export REDIS_URL="redis://default:$REDIS_PASSWORD@127.0.0.1:$REDIS_PORT/0"
  fi
}

services_save() {
  local file
  file=$(services_file)
  (
    umask 077
    printf '%s=%s\n' POSTGRES_PORT "$POSTGRES_PORT" POSTGRES_PASSWORD "$POSTGRES_PASSWORD" \
      REDIS_PORT "$REDIS_PORT" REDIS_PASSWORD "$REDIS_PASSWORD" >"$file.new"
  )
  mv "$file.new" "$file"
}

# Kept values, new ones where there are none; a port that somebody else took meanwhile is chosen anew.
services_settle() {
  services_load || true
  mkdir -p "$services_home"
  chmod a+x "$AIPOTEN_VAR" "$services_home" # whatever the umask is
  [ "$services_home" = "$AIPOTEN_VAR" ] || chmod a+x "${services_home%/*}"
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    POSTGRES_PASSWORD=$(secret_make)
    postgres_password_is=new
    ! postgres_pid >/dev/null || postgres_stop
  fi
  REDIS_PASSWORD=${REDIS_PASSWORD:-$(secret_make)}
  if [ -z "${POSTGRES_PORT:-}" ] || { ! postgres_pid >/dev/null && ! port_is_free "$POSTGRES_PORT"; }; then
    POSTGRES_PORT=$(port_choose)
  fi
  if [ -z "${REDIS_PORT:-}" ] || { ! redis_pid >/dev/null && ! port_is_free "$REDIS_PORT"; }; then
    REDIS_PORT=$(port_choose)
  fi
  services_save
  services_load
}

# --- PostgreSQL ------------------------------------------------------------------------------------------------------------

postgres_pid() { pid_of "$services_home/postgres/postmaster.pid" postgres; }

# postgres_single STATEMENT…: as superuser on the stopped cluster. Nobody ever logs in as superuser over the network.
postgres_single() {
  local said
  said=$(printf '%s\n' "$@" | as_postgres "$postgres_bin/postgres" --single -D "$services_home/postgres" \
    -c logging_collector=off -c log_min_messages=error postgres 2>&1 | sed "s/'[^']*'/'…'/g") || true
  ! grep -qE 'ERROR|FATAL|PANIC' <<<"$said" ||
    die "PostgreSQL refuses to make the database or its role: $said" "Remove $services_home/postgres and run this again."
}

postgres_settings() {
  local data=$services_home/postgres sockets=
  # A socket's path has 107 bytes at most.
  [ $((${#data} + 20)) -gt 100 ] || sockets=$data
  cat <<CONF
# Written by tools/run at each start.
listen_addresses = '127.0.0.1'
port = $POSTGRES_PORT
unix_socket_directories = '$sockets'
max_connections = 100
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 128MB
max_wal_size = 1GB
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
password_encryption = 'scram-sha-256'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%u.log'
log_rotation_age = 1d
log_truncate_on_rotation = on
log_line_prefix = '%m %u@%d '
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
CONF
}

postgres_create() {
  local data=$services_home/postgres log=$AIPOTEN_VAR/initdb.log
  note "making a PostgreSQL cluster in $data"
  rm -rf "$data" # half made at most: it has no role of ours yet
  mkdir -p "$data"
  chmod 700 "$data"
  ! is_root || chown postgres: "$data"
  quietly "$log" as_postgres "$postgres_bin/initdb" -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums \
    --auth-local=trust --auth-host=scram-sha-256 || die "initdb failed, see above and $log" \
    "Is the disk full, or $AIPOTEN_VAR on a file system without Unix permissions? Set AIPOTEN_VAR to another place."
  # The socket stands in the data directory, which only the cluster's own user may enter.
  as_postgres tee "$data/pg_hba.conf" >/dev/null <<'HBA'
local all all                 trust
host  all all 127.0.0.1/32    scram-sha-256
HBA
  echo "include 'aipoten.conf'" | as_postgres tee -a "$data/postgresql.conf" >/dev/null
  postgres_settings | as_postgres tee "$data/aipoten.conf" >/dev/null
  postgres_single "CREATE ROLE aipoten_migrator LOGIN CREATEROLE PASSWORD '$POSTGRES_PASSWORD'" \
    "CREATE DATABASE aipoten OWNER aipoten_migrator"
  as_postgres touch "$data/aipoten.created"
}

postgres_start() {
  local data=$services_home/postgres log=$services_home/postgres.log aside
  if postgres_pid >/dev/null; then
    return
  fi
  [ -x "$postgres_bin/postgres" ] || die "PostgreSQL 15 is not installed in $postgres_bin" "apt-get install postgresql-15"
  if [ "$services_home" != "$AIPOTEN_VAR" ] && [ -f "$data/aipoten.created" ] && [ ! -d "$AIPOTEN_VAR/secrets" ]; then
    # Whoever removes var to begin anew removes the keys of sealed columns; the data elsewhere is of no use without them.
    aside=$data.$(date +%Y%m%d%H%M%S)
    note "the database there belongs to secrets that are gone: it is set aside as $aside"
    mv "$data" "$aside"
  fi
  if [ ! -f "$data/aipoten.created" ]; then
    postgres_create
  elif [ "$postgres_password_is" = new ]; then # services.env was lost
    postgres_single "ALTER ROLE aipoten_migrator PASSWORD '$POSTGRES_PASSWORD'"
  fi
  postgres_settings | as_postgres tee "$data/aipoten.conf" >/dev/null
  [ -e "$log" ] || : >"$log"
  ! is_root || chown postgres: "$log"
  as_postgres "$postgres_bin/pg_ctl" start -D "$data" -l "$log" -w -t 60 -s ||
    die "PostgreSQL does not start; its words: $(tail -n 3 "$log")" "Its log: $data/log and $log"
}

postgres_stop() {
  postgres_pid >/dev/null || return 0
  as_postgres "$postgres_bin/pg_ctl" stop -D "$services_home/postgres" -m fast -w -t 60 -s ||
    die "PostgreSQL does not stop within 60 s" "Its log: $services_home/postgres/log"
}

# --- Redis -------------------------------------------------------------------------------------------------------------------

redis_pid() { pid_of "$services_home/redis/redis.pid" redis-server; }

redis_start() {
  local home=$services_home/redis
  if redis_pid >/dev/null; then
    return
  fi
  mkdir -p "$home"
  chmod 700 "$home"
  (
    umask 077
    cat >"$home/redis.conf" <<CONF
# Written by tools/run at each start.
bind 127.0.0.1
port $REDIS_PORT
requirepass $REDIS_PASSWORD
dir $home
pidfile $home/redis.pid
logfile $home/redis.log
daemonize yes
save 300 1
maxmemory 256mb
maxmemory-policy volatile-lru
CONF
  )
  ! is_root || chown -R redis: "$home"
  as_redis /usr/bin/redis-server "$home/redis.conf" >/dev/null || die "Redis does not start" "Its log: $home/redis.log"
  wait_for 20 redis_answers || die "Redis does not answer on port $REDIS_PORT within 20 s" "Its log: $home/redis.log"
}

redis_answers() {
  [ "$(REDISCLI_AUTH=$REDIS_PASSWORD redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null)" = PONG ]
}

redis_stop() {
  local pid
  pid=$(redis_pid) || return 0
  kill -TERM "$pid"
  wait_for 30 pid_gone "$pid" || die "Redis (pid $pid) does not stop within 30 s" "Its log: $services_home/redis/redis.log"
}
