# shellcheck shell=bash disable=SC2154 # url, answer, root are tools/try's
# realtime.sh: what tools/try --realtime does: two users in one terminal, and what each of them is told, as it comes. Sourced by
# tools/try, whose `call`, `field` and `say` it uses. A socket is Socket.IO by polls, with nothing but curl: a GET waits for what the
# server has to say, a POST says something (https://socket.io/docs/v4/engine-io-protocol/).
#
# Always holds: each user has a process that polls, and a file of what came, below a directory that goes with this script.

realtime="$url/socket.io/?EIO=4&transport=polling"
rooms=$(mktemp -d)
listeners=()
# shellcheck disable=SC2317 # the trap's
realtime_end() {
  [ ${#listeners[@]} = 0 ] || kill "${listeners[@]}" 2>/dev/null || true
  rm -rf "$rooms"
}
trap realtime_end EXIT

declare -A colour=([parent]=32 [therapist]=35) token_of=() id_of=() count_of=([parent]=0 [therapist]=0)
# show NAME ARROW WORDS: a line of the live view.
show() {
  local name=$1
  if [ -t 1 ]; then name=$'\033['${colour[$1]}m$1$'\033[0m'; fi
  printf '%(%H:%M:%S)T  %s %s %s\n' -1 "$name" "$2" "${3:0:400}"
}

# tell NAME PACKET: an Engine.IO packet from a user.
tell() {
  curl -sk --max-time 30 -o "$rooms/$1.told" "$realtime&sid=$(<"$rooms/$1.sid")" -H 'content-type: text/plain' --data-raw "$2" ||
    die "curl cannot reach $realtime"
}

# heard NAME PACKET: shows it, and keeps it for `expect`. False: that was the end.
heard() {
  local name=$1 packet=$2
  case $packet in
    2) tell "$name" 3 ;; # "are you there?" "yes": no news
    0* | 6) ;;
    1 | 41) show "$name" '◀' "the server ended it" ;;
    40*) show "$name" '◀' connected ;;
    44*) show "$name" '◀' "refused: ${packet:2}" ;;
    43*) show "$name" '◀' "answer ${packet#43}" ;;
    42*) show "$name" '◀' "${packet:2}" ;;
    *) show "$name" '◀' "$packet" ;;
  esac
  printf '%s\n' "$packet" >>"$rooms/$name.heard"
  [ "$packet" != 1 ] && [ "$packet" != 41 ]
}

# listen NAME: polls until the end. Packets of one poll stand apart by the character 0x1e.
listen() {
  local name=$1 packet out
  while out=$(curl -skf --max-time 90 "$realtime&sid=$(<"$rooms/$name.sid")"); do
    while IFS= read -r -d $'\x1e' packet; do
      heard "$name" "$packet" || return 0
    done <<<"$out"$'\x1e'
  done
  printf '%s\n' end >>"$rooms/$name.heard"
}

# expect NAME PATTERN: until such a packet came.
expect() {
  wait_for 30 grep -qE -- "$2" "$rooms/$1.heard" || die "$1 was not told: $2"
}

# log_in NAME PASSWORD: remembers who it is. The one that `call` calls for is whoever logged in last.
log_in() {
  token=''
  call 200 POST /auth/login "{\"email\":\"$1@example.com\",\"password\":\"$2\"}"
  take_token
  token_of[$1]=$token
  id_of[$1]=$(sed -nE 's/.*"user":\{"id":"([^"]+)".*/\1/p' <<<"$answer")
  [ -n "${id_of[$1]}" ] || die "the answer does not say who logged in"
}

# connect NAME: a session, its listener, and the token in the namespace "/".
connect() {
  local name=$1 opened
  opened=$(curl -skf --max-time 30 "$realtime") || die "no realtime session at $realtime"
  sed -nE 's/^0\{"sid":"([^"]+)".*/\1/p' <<<"$opened" >"$rooms/$name.sid"
  [ -s "$rooms/$name.sid" ] || die "that is no Engine.IO session: $opened"
  : >"$rooms/$name.heard"
  listen "$name" &
  listeners+=($!)
  tell "$name" "40{\"token\":\"${token_of[$name]}\"}"
  expect "$name" '^40'
}

# emit NAME EVENT ARGUMENT PATTERN: an event, and what its acknowledgement must be like.
emit() {
  local name=$1 number=$((++count_of[$1]))
  show "$name" '▶' "$number $2 $3"
  tell "$name" "42${number}[\"$2\",$3]"
  expect "$name" "^43$number.*$4"
}

realtime_journey() {
  local words name
  words="$(date +%H:%M:%S)의 알림"
  say "== Two users, as tools/run made them: a parent and a therapist"
  log_in parent aipoten-demo-1
  log_in therapist aipoten-demo-1
  say "== Each has a socket. From now on: ▶ what they say, ◀ what they are told"
  connect parent
  connect therapist
  emit parent join_notification_room "{\"userId\":\"${id_of[parent]}\"}" '"success":true'
  emit parent join_notification_room "{\"userId\":\"${id_of[therapist]}\"}" FORBIDDEN
  emit therapist therapist_online "{\"therapistId\":\"${id_of[therapist]}\"}" '"success":true'
  emit therapist presence "{\"userId\":\"${id_of[therapist]}\"}" '"online":true'
  emit parent presence "{\"userId\":\"${id_of[therapist]}\"}" NOT_FOUND # nothing joins them: none of the parent's business

  say "" "== An administrator tells everybody something"
  log_in admin aipoten-demo-1
  call 202 POST /admin/notifications/broadcast "{\"role\":\"all\",\"title\":\"$words\",\"message\":\"모두에게\",\"link_url\":\"/\"}"
  for name in parent therapist; do
    expect "$name" "^42.\"broadcast\".*$words"        # at once, for who looks
    expect "$name" "^42.\"new_notification\".*$words" # each one's own, which stays
  done
  if [ -t 0 ]; then
    say "" "Both listen: what they are told appears here. Enter goes on."
    read -r
  fi
  say "== The therapist logs out: the socket ends"
  token=${token_of[therapist]}
  call 200 POST /auth/logout
  expect therapist '^(1|41|end)$'
  emit parent presence "{\"userId\":\"${id_of[parent]}\"}" '"online":true'
  say "" "Both were told what they should be."
}
