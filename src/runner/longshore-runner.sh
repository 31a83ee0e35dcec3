#!/bin/sh
# Runs containers on one instance, one supervisor process for each, and says what runs, what ended and how.
# Needs sh, flock and coreutils (or busybox); setsid, docker, podman, singularity and curl are used when there.
set -u
version='longshore-runner 1'
me=$0
lock_dir=${LONGSHORE_LOCK_DIR:-/var/lock}
if [ -n "${LONGSHORE_STATE_DIR:-}" ]; then
  state_dir=$LONGSHORE_STATE_DIR
elif [ -w /var/lib ]; then
  state_dir=/var/lib/longshore
else
  state_dir=${TMPDIR:-/tmp}/longshore-$(id -u)
fi
grace_s=${LONGSHORE_KILL_GRACE_S:-10}
imds=${LONGSHORE_METADATA_URL:-http://169.254.169.254}
broken_flag=$lock_dir/crunch-run-broken
notice_file=$state_dir/interruption

say() { printf '%s\n' "$*" >&2; }
die() { say "longshore-runner: $1"; exit "${2:-1}"; }
usage() {
  cat <<EOT
usage: longshore-runner --list [--stdin-prices]
       longshore-runner --detach --stdin-config [--runtime-engine=NAME] UUID
       longshore-runner --kill SIGNAL UUID
       longshore-runner --watch
       longshore-runner --collect UUID | --discard UUID | --tail UUID [--follow] [stdout|stderr]
       longshore-runner --help | --version
LONGSHORE_LOCK_DIR and LONGSHORE_STATE_DIR say where it keeps its files.
EOT
}

check_uuid() {
  case $1 in
    ?????-dz642-???????????????) ;;
    *) die "\"$1\" is no container id" 2 ;;
  esac
  case $1 in *[!a-z0-9-]*) die "\"$1\" is no container id" 2 ;; esac
  uuid=$1
  lock=$lock_dir/crunch-run-$uuid.lock
  home=$state_dir/c/$uuid
}

now_ms() {
  ms=$(date +%s%3N)
  case $ms in *[!0-9]*) ms=$(date +%s)000 ;; esac
  printf '%s' "$ms"
}

make_dirs() {
  mkdir -p "$lock_dir" "$state_dir/c" "$state_dir/watch" || die "cannot make the folders $lock_dir and $state_dir"
}

# The directory lock: held while a container's lock is opened and taken, or tested and deleted.
take_dir_lock() { exec 9>>"$lock_dir/crunch-run-all.lock" && flock 9; }
drop_dir_lock() { exec 9>&-; }

# Sets `began` to when the process started, in clock ticks since boot; empty where that cannot be known.
began_at() {
  began=
  [ -r "/proc/$1/stat" ] || return 0
  read -r stat <"/proc/$1/stat" 2>/dev/null || return 0
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  began=${20:-}
  [ "$1" != Z ] || began=zombie
}

# True while the process runs; one that ended and waits for its parent does not.
is_alive() {
  kill -0 "$1" 2>/dev/null || return 1
  began_at "$1"
  [ "$began" != zombie ]
}

# True when the lock names a process that is still the one that took it: a process id alone may have a new owner.
is_supervised() {
  line=
  [ -s "$lock" ] && read -r line <"$lock"
  case $line in
    '{"UUID":"'"$uuid"'","PID":'[1-9]*) ;;
    *) pid=0; return 1 ;;
  esac
  pid=${line##*'"PID":'}
  pid=${pid%%[!0-9]*}
  is_alive "$pid" || return 1
  recorded=
  [ -r "$home/began" ] && read -r recorded <"$home/began"
  [ -n "$recorded" ] || return 0
  [ "$pid $began" = "$recorded" ]
}

# True when some process holds the container's lock.
is_held() {
  [ -e "$lock" ] || return 1
  exec 7<"$lock" || return 1
  if flock -s -n 7; then exec 7<&-; return 1; fi
  exec 7<&-
}

# True when the supervisor is gone without a result and what it started still runs.
is_orphaned() {
  [ ! -e "$home/result" ] && [ -r "$home/main" ] || return 1
  read -r main recorded <"$home/main" || return 1
  is_alive "$main" || return 1
  [ "$began" = "${recorded:-}" ]
}

# Sleeps so that a TERM ends the sleep as well.
nap() {
  sleep "$1" & napping=$!
  trap 'kill "$napping" 2>/dev/null; exit 0' TERM
  wait "$napping"
}

tell_watchers() {
  for fifo in "$state_dir"/watch/*.fifo; do
    [ -p "$fifo" ] || continue
    # Opened for reading too, so that a watcher that is gone cannot make this wait.
    (printf '%s\n' "$1" 1<>"$fifo") 2>/dev/null 8>&- &
  done
}

mark_broken() {
  [ -e "$broken_flag" ] && return
  (umask 077; : >"$broken_flag")
  say "marking this instance broken: $1"
  tell_watchers broken
}

# --- starting ---------------------------------------------------------------------------------------------------

detach() {
  make_dirs
  take_dir_lock || die "cannot take the lock of $lock_dir"
  exec 8>>"$lock" || die "cannot open $lock"
  flock -n 8 || die "container $uuid is already supervised here"
  : >"$lock"
  rm -rf "$home"
  mkdir -p "$home" || die "cannot make $home"
  cat >"$home/document" || { rm -rf "$home"; die "cannot write $home: is the disk full?"; }
  case $(head -c 13 "$home/document") in
    '{"Longshore":') ;;
    *) rm -rf "$home" "$lock"; die "the configuration on standard input is not for this runner" ;;
  esac
  session=
  command -v setsid >/dev/null 2>&1 && session=setsid
  # The substitution ends when the supervisor closes its output, which it does once it minds its signals.
  child=$(
    exec 9>&-
    LONGSHORE_ENGINE=$engine $session sh "$me" --supervise "$uuid" </dev/null 2>>"$home/supervisor.log" &
    printf '%s' "$!"
  )
  printf '{"UUID":"%s","PID":%s}\n' "$uuid" "$child" | tee "$lock"
  drop_dir_lock
}

supervise() {
  trap 'minded=1' USR2
  trap 'minded=1; wanted_dead=1; stop_group' TERM INT QUIT
  trap '' HUP
  main=0
  wanted_dead=0
  began_at $$
  printf '%s %s\n' "$$" "$began" >"$home/began"
  exec >/dev/null
  started=$(now_ms)
  document=$(head -n 1 "$home/document")
  document=${document#'{"Longshore":"'}
  printf '%s' "${document%%'"'*}" | base64 -d >"$home/document.sh" 2>/dev/null || finish 1 'the configuration is damaged'
  image='' cwd='' vcpus=1 ram_bytes=0 max_run_time_s=0 log_limit_bytes=1048576 spot_check=0 env_names=''
  # shellcheck disable=SC1091
  . "$home/document.sh"
  printf '%s\n' "$started" >"$home/started"
  tell_watchers "started $uuid"
  mkfifo "$home/out" "$home/err" || finish 1 'cannot make pipes'
  keep "$home/out" "$home/stdout" & out=$!
  keep "$home/err" "$home/stderr" & err=$!
  (
    exec 8>&-
    trap - USR2 TERM INT QUIT HUP
    run_main
  ) >"$home/out" 2>"$home/err" </dev/null &
  main=$!
  began_at "$main"
  printf '%s %s\n' "$main" "$began" >"$home/main"
  timer=0
  killer=0
  if [ "$max_run_time_s" -gt 0 ]; then limit_time 8>&- & timer=$!; fi
  watcher=0
  if [ "$spot_check" = 1 ]; then watch_spot 8>&- & watcher=$!; fi
  [ "$wanted_dead" = 0 ] || stop_group
  code=
  while :; do
    minded=0
    wait "$main"
    status=$?
    [ "$minded" = 0 ] || { [ "$status" -lt 128 ] || continue; }
    [ "$status" = 127 ] && [ -n "$code" ] || code=$status
    break
  done
  # What the command left behind goes with it.
  kill -KILL "-$main" 2>/dev/null
  for helper in "$timer" "$killer" "$watcher"; do
    [ "$helper" = 0 ] || kill "$helper" 2>/dev/null
  done
  settle "$out"
  settle "$err"
  note=
  [ "$wanted_dead" = 0 ] || note='stopped on request'
  [ ! -e "$home/timed-out" ] || note='stopped at its time limit'
  look_for_broken
  finish "$code" "$note"
}

# Copies a stream up to the limit and swallows the rest, so that the command is never held up and the disk never filled.
keep() {
  exec 8>&-
  trap '' USR2 TERM INT QUIT
  {
    # dd hands on what it reads at once; head keeps it back, and serves where dd cannot count bytes.
    dd bs=65536 iflag=count_bytes count="$log_limit_bytes" 2>/dev/null >"$2" || head -c "$log_limit_bytes" >"$2"
    if [ "$(head -c 1 | wc -c)" -gt 0 ]; then
      : >"$2.truncated"
      cat >/dev/null
    fi
  } <"$1"
}

# Waits for a copier, but not for ever: a process that left the group may hold the pipe.
settle() {
  tries=0
  while kill -0 "$1" 2>/dev/null; do
    if [ "$tries" -ge 40 ]; then kill -KILL "$1" 2>/dev/null; break; fi
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || sleep 0.05
    [ "$tries" -ge 3 ] || wait "$1" 2>/dev/null
  done
}

run_main() {
  [ -z "$image" ] || run_image
  folder=${cwd:-$home/work}
  [ -n "$cwd" ] || mkdir -p "$folder"
  cd "$folder" || exit 127
  container_env
  container_argv
}

run_image() {
  for name in "$LONGSHORE_ENGINE" docker podman singularity; do
    command -v "$name" >/dev/null 2>&1 && { tool=$name; break; }
  done
  [ -n "${tool:-}" ] || { say "no container engine on this instance for image $image"; exit 127; }
  container_env
  set --
  case $tool in
    singularity)
      [ -z "$cwd" ] || set -- --pwd "$cwd"
      container_in singularity exec --containall "$@" "docker://$image"
      ;;
    *)
      for name in $env_names; do set -- "$@" --env "$name"; done
      [ -z "$cwd" ] || set -- "$@" --workdir "$cwd"
      [ "$ram_bytes" -le 0 ] || set -- "$@" --memory "$ram_bytes"
      [ "$vcpus" -le 0 ] || set -- "$@" --cpus "$vcpus"
      container_in "$tool" run --rm --init --name "longshore-$uuid" "$@" "$image"
      ;;
  esac
}

# Replaces this process by the command, leader of a group of its own where the system can.
lead() {
  if command -v setsid >/dev/null 2>&1; then exec setsid "$@"; fi
  exec "$@"
}

stop_group() {
  [ "$main" != 0 ] || return 0
  kill -TERM "-$main" 2>/dev/null || kill -TERM "$main" 2>/dev/null
  [ -e "$home/stopping" ] && return 0
  : >"$home/stopping"
  (
    exec 8>&-
    trap - USR2 TERM INT QUIT
    nap "$grace_s"
    kill -KILL "-$main" 2>/dev/null || kill -KILL "$main" 2>/dev/null
  ) &
  killer=$!
}

limit_time() {
  nap "$max_run_time_s"
  : >"$home/timed-out"
  kill -TERM "-$main" 2>/dev/null
  nap "$grace_s"
  kill -KILL "-$main" 2>/dev/null
}

look_for_broken() {
  [ -n "$image" ] && [ "$code" != 0 ] || return 0
  if tail -c 4096 "$home/stderr" 2>/dev/null | grep -qiE \
    'cannot connect to the docker daemon|error mounting .* to rootfs|connection error: desc|no space left on device'; then
    mark_broken 'its container engine does not work'
  fi
}

# finish CODE NOTE: writes the result, whole or not at all, and ends the supervisor.
finish() {
  finished=$(now_ms)
  {
    printf 'exit_code=%s\nstarted=%s\nfinished=%s\n' "$1" "${started:-0}" "$finished"
    printf 'note=%s\n' "$2"
    if [ -e "$home/timed-out" ]; then echo timed_out=true; else echo timed_out=false; fi
  } >"$home/result.tmp" && mv "$home/result.tmp" "$home/result"
  rm -f "$home/out" "$home/err" "$home/document" "$home/document.sh"
  exec 8>&-
  tell_watchers "ended $uuid"
  exit 0
}

# --- spot interruption ------------------------------------------------------------------------------------------

watch_spot() {
  trap - TERM
  command -v curl >/dev/null 2>&1 || return 0
  token='' doubts=0
  while [ "$doubts" -lt 6 ]; do
    [ -n "$token" ] || token=$(curl -fsS -m 60 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600' "$imds/latest/api/token" 2>/dev/null)
    reply=$(curl -sS -m 60 -w '\n%{http_code}' -H "X-aws-ec2-metadata-token: $token" "$imds/latest/meta-data/spot/instance-action" 2>/dev/null)
    case $reply in
      *'
200') doubts=0; note_interruption "$(printf '%s' "$reply" | head -n 1)" ;;
      *'
404') doubts=0 ;;
      *'
401') token=''; doubts=$((doubts + 1)) ;;
      *) doubts=$((doubts + 1)) ;;
    esac
    nap "${LONGSHORE_SPOT_INTERVAL_S:-5}"
  done
}

note_interruption() {
  text=$(printf '%s' "$1" | tr -d '\r\n' | head -c 200)
  [ -e "$notice_file" ] && [ "$(cat "$notice_file")" = "$text" ] && return
  printf '%s' "$text" >"$notice_file.$$" && mv "$notice_file.$$" "$notice_file"
  tell_watchers "interruption $text"
}

# --- asking -----------------------------------------------------------------------------------------------------

each_container() {
  for home in "$state_dir"/c/*; do
    [ -d "$home" ] || continue
    uuid=${home##*/}
    lock=$lock_dir/crunch-run-$uuid.lock
    "$1"
  done
}

list() {
  [ "${1:-}" != --stdin-prices ] || keep_prices
  make_dirs
  [ ! -e "$broken_flag" ] || echo broken
  [ ! -s "$notice_file" ] || printf 'interruption %s\n' "$(cat "$notice_file")"
  take_dir_lock || die "cannot take the lock of $lock_dir"
  for lock in "$lock_dir"/crunch-run-*.lock; do
    if [ ! -s "$lock" ] || [ ! -f "$lock" ]; then continue; fi
    uuid=${lock##*/crunch-run-}
    uuid=${uuid%.lock}
    home=$state_dir/c/$uuid
    if ! is_held; then rm -f "$lock"; continue; fi
    if is_supervised; then printf '%s\n' "$uuid"
    elif [ "$pid" = 0 ]; then say "the lock file of $uuid cannot be read"
    else printf '%s stale\n' "$uuid"; fi
  done
  each_container list_ended
}

list_ended() {
  is_held && return
  if is_orphaned; then printf '%s stale\n' "$uuid"; else printf '%s ended\n' "$uuid"; fi
}

keep_prices() {
  prices=$lock_dir/crunch-run-prices.json
  if cat >"$prices~$$" && [ -s "$prices~$$" ]; then mv "$prices~$$" "$prices"; else rm -f "$prices~$$"; fi
}

kill_container() {
  make_dirs
  target=
  if is_orphaned && ! is_held; then pid=$main target=-$main
  elif ! is_held; then say "container $uuid is not running"; return 0
  elif ! is_supervised; then
    [ "$pid" != 0 ] || die "the lock file of $uuid cannot be read"
    say "the supervisor of container $uuid is gone"
    return 0
  fi
  kill "-$signal" "${target:-$pid}" || return 1
  tries=0
  while [ "$tries" -lt 50 ]; do
    if ! is_alive "$pid"; then say "container $uuid ended"; return 0; fi
    tries=$((tries + 1))
    sleep 0.02
  done
  die "container $uuid is still alive after 1 s"
}

collect() {
  [ -d "$home" ] || die "container $uuid is not known here" 4
  if [ ! -e "$home/result" ] && { is_held || is_orphaned; }; then die "container $uuid is still running" 3; fi
  exit_code=255 started=0 finished=0 timed_out=false note='its supervisor ended without a result'
  [ -e "$home/result" ] || { [ -r "$home/started" ] && read -r started <"$home/started"; finished=$(now_ms); }
  while IFS= read -r line; do
    case $line in
      exit_code=*) exit_code=${line#*=} ;;
      started=*) started=${line#*=} ;;
      finished=*) finished=${line#*=} ;;
      timed_out=*) timed_out=${line#*=} ;;
      note=*) note=${line#*=} ;;
    esac
  done <<EOT
$(cat "$home/result" 2>/dev/null)
EOT
  truncated=false
  if [ -e "$home/stdout.truncated" ] || [ -e "$home/stderr.truncated" ]; then truncated=true; fi
  printf '{"uuid":"%s","exitCode":%s,"startedAt":%s,"finishedAt":%s,"timedOut":%s,"truncated":%s,"note":"%s"}\n' \
    "$uuid" "$exit_code" "$started" "$finished" "$timed_out" "$truncated" "$note"
  encode "$home/stdout"
  encode "$home/stderr"
}

encode() {
  if [ -s "$1" ]; then base64 <"$1" | tr -d '\n'; fi
  echo
}

discard() {
  make_dirs
  take_dir_lock
  if is_held && [ ! -e "$home/result" ]; then die "container $uuid is still running" 3; fi
  rm -rf "$home"
  is_held || rm -f "$lock"
}

show() {
  [ -d "$home" ] || die "container $uuid is not known here" 4
  follow=0 stream=stdout
  for word in "$@"; do
    case $word in --follow) follow=1 ;; stdout | stderr) stream=$word ;; *) die "unknown word $word" 2 ;; esac
  done
  [ -e "$home/$stream" ] || : >>"$home/$stream"
  if [ "$follow" = 0 ]; then cat "$home/$stream"; return; fi
  tail -c +1 -f "$home/$stream" & reader=$!
  while is_held && [ ! -e "$home/result" ] && kill -0 "$reader" 2>/dev/null; do sleep 0.2; done
  sleep 1.2
  kill "$reader" 2>/dev/null
}

# --- watching ---------------------------------------------------------------------------------------------------

watch() {
  make_dirs
  trap '' PIPE
  for old in "$state_dir"/watch/*.fifo; do
    owner=${old##*/}
    [ -p "$old" ] && ! kill -0 "${owner%.fifo}" 2>/dev/null && rm -f "$old"
  done
  fifo=$state_dir/watch/$$.fifo
  rm -f "$fifo"
  mkfifo "$fifo" || die "cannot make $fifo"
  exec 7<>"$fifo"
  beat & beater=$!
  trap 'rm -f "$fifo"; kill "$beater" 2>/dev/null; exit 0' EXIT TERM INT HUP
  echo attached || exit 0
  each_container tell_present
  while IFS= read -r line <&7; do
    printf '%s\n' "$line" || exit 0
  done
}

tell_present() {
  if is_orphaned; then return; fi
  if [ -e "$home/result" ] || ! is_held_otherwise; then printf 'ended %s\n' "$uuid"; else printf 'started %s\n' "$uuid"; fi
}

# As is_held, on another descriptor: 7 is the watcher's pipe.
is_held_otherwise() {
  [ -e "$lock" ] || return 1
  exec 6<"$lock" || return 1
  if flock -s -n 6; then exec 6<&-; return 1; fi
  exec 6<&-
}

# A word now and then: it fails when nobody listens any more, which ends the watcher; and what no supervisor tells.
beat() {
  told_broken=0
  while nap "${LONGSHORE_BEAT_S:-15}" && kill -0 $$ 2>/dev/null; do
    printf 'alive\n' 1<>"$fifo"
    if [ -e "$broken_flag" ] && [ "$told_broken" = 0 ]; then told_broken=1; printf 'broken\n' 1<>"$fifo"; fi
  done
}

# --- words ------------------------------------------------------------------------------------------------------

[ $# -gt 0 ] || { usage >&2; exit 2; }
mode='' engine='' follow_words=''
case $1 in
  --help | -h | -help) usage; exit 0 ;;
  --version | -version) echo "$version"; exit 0 ;;
  --list | -list) shift; list "${1:-}"; exit 0 ;;
  --watch | -watch) watch; exit 0 ;;
  --supervise) check_uuid "$2"; supervise ;;
  --kill | -kill)
    [ $# -eq 3 ] || die 'give a signal number and a container id' 2
    signal=$2
    case $signal in '' | *[!0-9]*) die "\"$signal\" is no signal number" 2 ;; esac
    check_uuid "$3"
    kill_container
    exit
    ;;
  --collect | --discard)
    [ $# -eq 2 ] || die 'give one container id' 2
    check_uuid "$2"
    "${1#--}"
    exit
    ;;
  --tail)
    [ $# -ge 2 ] || die 'give one container id' 2
    check_uuid "$2"
    shift 2
    show "$@"
    exit
    ;;
esac
for word in "$@"; do
  case $word in
    --detach | -detach) mode=detach ;;
    --stdin-config | -stdin-config) follow_words=config ;;
    --runtime-engine=* | -runtime-engine=*) engine=${word#*=} ;;
    -*) ;;
    *) [ -z "${target:-}" ] || die 'give one container id' 2; target=$word ;;
  esac
done
if [ "$mode" != detach ] || [ "$follow_words" != config ]; then usage >&2; exit 2; fi
[ -n "${target:-}" ] || die 'give one container id' 2
case $engine in '' | docker | podman | singularity) ;; *) engine='' ;; esac
check_uuid "$target"
detach
