#!/bin/sh
# Runs containers on one instance, one supervisor process for each, and says what runs, what ended and how.
# Needs sh, flock and coreutils (or busybox); setsid, docker, podman, singularity and curl are used when there.
set -u
# What is kept here holds the secrets of containers.
umask 077
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
cgroup_root=${LONGSHORE_CGROUP_ROOT:-/sys/fs/cgroup}
notice_file=$state_dir/interruption
boot=''
newline='
'
# How a start is refused, having run nothing: see exit-codes.ts.
bad_document=65 broken_instance=71 occupied=73
setup_code=1

say() { printf '%s\n' "$*" >&2; }
die() { say "longshore-runner: $1"; exit "${2:-1}"; }
usage() {
  cat <<EOT
usage: longshore-runner --list [--stdin-prices]
       longshore-runner --detach --stdin-config [--runtime-engine=NAME] [--attempt=NUMBER] UUID
       longshore-runner --kill SIGNAL UUID
       longshore-runner --watch
       longshore-runner --collect UUID | --discard UUID [ATTEMPT]
       longshore-runner --tail UUID [--follow] [stdout|stderr]
       longshore-runner --help | --version
LONGSHORE_LOCK_DIR and LONGSHORE_STATE_DIR say where it keeps its files.
EOT
}

# Sets `uuid` and where its files are; false when the text is no container id.
set_uuid() {
  case $1 in
    *-*-*-* | *[!abcdefghijklmnopqrstuvwxyz0123456789-]*) return 1 ;;
    ?????-dz642-???????????????) ;;
    *) return 1 ;;
  esac
  uuid=$1
  lock=$lock_dir/crunch-run-$uuid.lock
  home=$state_dir/c/$uuid
}
check_uuid() { set_uuid "$1" || die "\"$1\" is no container id" 2; }

# Sets `attempt` to the number that the start command named; empty when it named none.
read_attempt() {
  attempt=
  [ -r "$home/attempt" ] && read -r attempt <"$home/attempt"
  case $attempt in *[!0-9]*) attempt= ;; esac
}

# Sets `now` to the time of this host's clock in ms: a fact to show, never used in arithmetic, since it may be stepped.
read_clock() {
  now=$(date +%s%3N)
  case $now in *[!0-9]*) now=$(date +%s)000 ;; esac
  case $now in '' | *[!0-9]*) now=0 ;; esac
}

# Sets `uptime` to the ms since this boot, which no clock steps; empty where that cannot be read.
read_uptime() {
  uptime=
  [ -r /proc/uptime ] || return 0
  { read -r uptime rest </proc/uptime; } 2>/dev/null || uptime=
  hundredths=${uptime#*.}
  case ${uptime%.*}:$hundredths in
    [0-9]*:[0-9][0-9]) uptime=$((${uptime%.*} * 1000 + 1$hundredths * 10 - 1000)) ;;
    *) uptime= ;;
  esac
}

# Prints the ms from one uptime to a later one; nothing when one is not known, or both are not of one boot.
span_between() {
  case $1:$2 in *:*[!0-9]* | *[!0-9]*:* | : | :* | *:) return 0 ;; esac
  [ "$2" -lt "$1" ] || printf '%d' $(($2 - $1))
}

make_dirs() {
  [ -d "$lock_dir" ] && [ -d "$state_dir/c" ] && [ -d "$state_dir/watch" ] && return
  mkdir -p "$lock_dir" "$state_dir/c" "$state_dir/watch" ||
    die "cannot make the folders $lock_dir and $state_dir: is the disk full or read-only?" "$setup_code"
  # In a folder that everybody may write to, another user may have been there first.
  [ "$(stat -c %u "$state_dir" 2>/dev/null || id -u)" = "$(id -u)" ] ||
    die "$state_dir belongs to another user" "$setup_code"
}

# Sets `defect` to why this instance cannot run containers; empty when nothing is known. Writes a little into each folder:
# a full disk, one without inodes, a read-only one and missing rights all show, in the system's own words.
find_defect() {
  defect=
  for needed in flock mkfifo base64 sed head tail cat date mv; do
    command -v "$needed" >/dev/null 2>&1 || { defect="$needed is missing"; return; }
  done
  for folder in "$lock_dir" "$state_dir"; do
    trial=$folder/longshore-trial.$$
    said=$({ head -c 16384 /dev/zero >"$trial"; } 2>&1) || defect="cannot write to $folder: ${said##*: }"
    rm -f "$trial" 2>/dev/null
    [ -z "$defect" ] || return 0
  done
}

# refuse CODE TEXT: ends a start that did not work out, with the instance's defect where there is one.
refuse() {
  find_defect
  [ -z "$defect" ] || die "$2: $defect" "$broken_instance"
  die "$2" "$1"
}

# The directory lock: held while a container's lock is opened and taken, or tested, or deleted; never while waiting.
# A failing `exec` would end the shell before anything is said, so the file is tried first. One that cannot be written to
# can be locked all the same, so that what runs on a read-only disk is still listed.
take_dir_lock() {
  if { true >>"$lock_dir/crunch-run-all.lock"; } 2>/dev/null; then exec 9>>"$lock_dir/crunch-run-all.lock"
  elif [ -r "$lock_dir/crunch-run-all.lock" ]; then exec 9<"$lock_dir/crunch-run-all.lock"
  else die "cannot write to $lock_dir: is the disk full?" "$setup_code"; fi
  flock 9 || refuse "$setup_code" "cannot take the lock of $lock_dir"
}
drop_dir_lock() { exec 9>&-; }

# Sets `boot` to the id of this boot; empty where that cannot be read.
read_boot() { [ -n "$boot" ] || { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null; }

# Sets `began` to when the process started, in clock ticks since this boot; empty where that cannot be known.
began_at() {
  began=
  [ -r "/proc/$1/stat" ] || return 0
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  read_boot
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  began=${20:-}@$boot
  case $1 in Z | X) began=zombie ;; esac
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

# True when some process holds the container's lock. Only under the directory lock: the test itself takes the lock for
# a moment, and a start must not run into that.
is_held() {
  [ -e "$lock" ] || return 1
  ! flock -s -n 7 7<"$lock"
}

# True when some process of the group runs; those that ended and wait for their parent do not count.
is_group_alive() {
  kill -0 "-$1" 2>/dev/null || return 1
  [ -r /proc/self/stat ] || return 0
  for process in /proc/[0-9]*; do
    { read -r stat <"$process/stat"; } 2>/dev/null || continue
    stat=${stat##*) }
    case $stat in
      [ZX]*) ;;
      ?' '*' '"$1 "*)
        # shellcheck disable=SC2086
        set -- "$1" $stat
        [ "$4" != "$1" ] || return 0
        ;;
    esac
  done
  return 1
}

# Sets `mark`, which every process of the container has in its environment, and `first`, when its supervisor began. The
# name of the variable is the container's own, so that one container within another carries both.
read_mark() {
  mark='' first=0 supervisor='' recorded=
  [ -r "$home/began" ] && read -r supervisor recorded <"$home/began"
  [ -n "$recorded" ] || return 0
  first=${recorded%%@*}
  case $first in '' | *[!0-9]*) first=0 ;; esac
  mark=LONGSHORE_RUN_$(printf '%s' "$uuid" | tr - _)=$supervisor-$recorded
}

# Sets `cgroup` to a control group that only this container has; empty where none can be made.
make_cgroup() {
  cgroup='' own=
  [ -r /proc/self/cgroup ] || return 0
  while IFS= read -r line; do
    case $line in 0::/*) own=${line#0::} ;; esac
  done </proc/self/cgroup
  for base in "$cgroup_root$own" "$cgroup_root/unified$own"; do
    if [ ! -w "$base/cgroup.procs" ] || [ ! -e "$base/cgroup.controllers" ]; then continue; fi
    mkdir "$base/longshore-$uuid.$$" 2>/dev/null || continue
    cgroup=$base/longshore-$uuid.$$
    printf '%s\n' "$cgroup" >"$home/cgroup"
    return
  done
}

read_cgroup() {
  cgroup=
  [ -r "$home/cgroup" ] && read -r cgroup <"$home/cgroup"
  case $cgroup in "$cgroup_root"/*/longshore-"$uuid".*[0-9] | "$cgroup_root"/longshore-"$uuid".*[0-9]) ;; *) cgroup= ;; esac
}

remove_cgroup() {
  [ -n "$cgroup" ] || return 0
  for pause in 0.01 0.05 0.2 0.5; do
    [ -d "$cgroup" ] || return 0
    rmdir "$cgroup"/*/ "$cgroup" 2>/dev/null
    [ -d "$cgroup" ] || return 0
    sleep "$pause"
  done
}

# find_left SESSION: sets `left` to the processes of the container that run: those of its control group, those that
# carry its mark, and those of the session; `strays` to those of them that are not in the command's group.
find_left() {
  left='' strays='' inside=' ' candidates=
  [ -r /proc/self/stat ] || return 0
  if [ -n "$cgroup" ] && [ -r "$cgroup/cgroup.procs" ]; then
    while read -r id; do inside="$inside$id "; done <"$cgroup/cgroup.procs"
  fi
  for process in /proc/[0-9]*; do
    { read -r stat <"$process/stat"; } 2>/dev/null || continue
    id=${process#/proc/}
    # shellcheck disable=SC2086
    set -- "$1" ${stat##*) }
    case ${2:-} in Z | X) continue ;; esac
    case $inside in *" $id "*) add_left "${4:-}"; continue ;; esac
    # One whose name breaks its line in two is looked at whatever it is.
    case ${21:-$first} in *[!0-9]*) ;; *) [ "${21:-$first}" -ge "$first" ] || continue ;; esac
    if [ -n "$1" ] && [ "${5:-}" = "$1" ]; then add_left "${4:-}"; else candidates="$candidates $process/environ"; fi
  done
  [ -n "$mark" ] && [ -n "$candidates" ] || return 0
  # shellcheck disable=SC2086
  for process in $(print_marked $candidates); do
    id=${process#/proc/}
    id=${id%/environ}
    [ "$id" != $$ ] || continue
    { read -r stat <"/proc/$id/stat"; } 2>/dev/null || continue
    # shellcheck disable=SC2086
    set -- "$1" ${stat##*) }
    case ${2:-} in Z | X) ;; *) add_left "${4:-}" ;; esac
  done
}
add_left() {
  left="$left $id"
  [ "$1" = "${main:-0}" ] || strays="$strays $id"
}

# Prints which of the files have the mark. A grep that stops at a zero byte sees only the first variable.
print_marked() {
  if [ "$(printf 'a\0b\n' | grep -c -F b)" = 1 ]; then grep -l -s -F -e "$mark" "$@" /dev/null; return; fi
  for file in "$@"; do
    { tr '\0' '\n' <"$file"; } 2>/dev/null | grep -q -F -e "$mark" && printf '%s\n' "$file"
  done
}

# end_left SESSION PAUSES: ends the processes that the container left behind. Sets `ended_left` to how many there were,
# and `left` to those that live on.
end_left() {
  ended_left=0 calm=0
  for pause in $2; do
    find_left "$1"
    if [ -z "$left" ]; then
      # A process is without its environment while it begins another program: after a find, it takes two looks.
      [ "$ended_left" != 0 ] && [ "$calm" = 0 ] || return 0
      calm=1
    else
      calm=0
      [ -z "$cgroup" ] || { printf 1 >"$cgroup/cgroup.kill"; } 2>/dev/null
      # shellcheck disable=SC2086
      kill -KILL $left 2>/dev/null
      for id in $strays; do
        case $seen in *" $id "*) ;; *) seen="$seen$id " ended_left=$((ended_left + 1)) ;; esac
      done
    fi
    sleep "$pause"
  done
  find_left "$1"
}

# Adds to `note` what end_left found.
note_left() {
  case $ended_left in
    0) ;;
    1) note="${note:+$note; }a process that it left behind was ended" ;;
    *) note="${note:+$note; }$ended_left processes that it left behind were ended" ;;
  esac
  [ -z "$left" ] || note="${note:+$note; }processes that it left behind cannot be ended:$left"
}

# True when the supervisor is gone without a result and something of what it started still runs. Sets `group`, 0 when
# no process is in it, and `left`.
is_orphaned() {
  group=0 left='' cgroup='' main=0
  [ ! -e "$home/result" ] && [ -r "$home/began" ] || return 1
  read_mark
  if [ -n "$mark" ]; then
    began_at "$supervisor"
    [ "$began" != "$recorded" ] || return 1
  fi
  if is_group_orphaned; then return 0; fi
  group=0
  if is_left_in_engine; then return 0; fi
  read_cgroup
  find_left ''
  [ -n "$left" ]
}

# True when the engine may still run the container of a supervisor that is gone, which is no process of the client.
# Sets `tool`. After another boot it does not.
is_left_in_engine() {
  tool='' engine_boot=
  [ -s "$home/engine" ] && { IFS= read -r tool; read -r engine_boot; } <"$home/engine"
  [ -n "$tool" ] || return 1
  read_boot
  [ "$engine_boot" = "$boot" ]
}

# Ends what an orphan left; true when nothing of it runs any more. `ended` counts its processes.
end_orphan() {
  ended=0 group_ended=0
  if is_left_in_engine && remove_from_engine 10; then rm -f "$home/engine"; fi
  for pause in $1; do
    is_orphaned || break
    if [ "$group" != 0 ]; then
      kill -KILL "-$group" 2>/dev/null || kill -KILL "$group" 2>/dev/null
      group_ended=1
    fi
    # Those of the group count once, also when they take a while to end.
    main=$group
    read_cgroup
    end_left '' 0.01
    ended=$((ended + ended_left))
    sleep "$pause"
  done
  ended=$((ended + group_ended))
  [ "$ended" = 0 ] || printf '%s\n' "$ended" >"$home/ended-left"
  ! is_orphaned
}

is_group_orphaned() {
  recorded=
  [ -r "$home/main" ] && read -r group recorded <"$home/main"
  case $group in '' | 0 | *[!0-9]*) return 1 ;; esac
  if [ -z "$recorded" ]; then kill -0 "-$group" 2>/dev/null; return; fi
  began_at "$group"
  # No new process gets this number while the group exists: another owner, or another boot, means that all ended.
  case $began in
    '' | zombie)
      read_boot
      [ "${recorded#*@}" = "$boot" ] && is_group_alive "$group"
      ;;
    *) [ "$began" = "$recorded" ] ;;
  esac
}

# Sleeps so that a TERM ends the sleep as well, whenever it comes.
nap() {
  napping=0 woken=0
  trap 'woken=1; end_nap' TERM
  sleep "$1" & napping=$!
  [ "$woken" = 0 ] || end_nap
  wait "$napping"
  napping=0
}
end_nap() { [ "$napping" = 0 ] || { kill -KILL "$napping" 2>/dev/null; exit 0; }; }

# Tells each watcher, aside: one that does not read any more cannot make a container wait, nor for ever the one who tells.
tell_watchers() {
  for fifo in "$state_dir"/watch/*.fifo; do
    [ -p "$fifo" ] || continue
    owner=${fifo##*/}
    kill -0 "${owner%.fifo}" 2>/dev/null || continue
    # Opened for reading too: opening for writing alone waits for a reader.
    # shellcheck disable=SC2016
    if command -v timeout >/dev/null 2>&1; then
      timeout 5 sh -c 'printf "%s\n" "$1" 1<>"$2"' sh "$1" "$fifo" >/dev/null 2>&1 8>&- &
    else
      (exec 8>&- 2>/dev/null; printf '%s\n' "$1" 1<>"$fifo") &
    fi
    told="$told $!"
  done
}

# Sets `reason` to the text on one line, without what a terminal would obey, and not too long.
clean_reason() {
  reason=$(printf '%s' "$1" | tr '\n\t\042\134' '  \047/' | LC_ALL=C tr -d '\000-\037\177' | head -c 500)
}

mark_broken() {
  [ -e "$broken_flag" ] && return
  clean_reason "$1"
  { printf '%s' "$reason" >"$broken_flag"; } 2>/dev/null || { true >"$broken_flag"; } 2>/dev/null
  say "marking this instance broken: $reason"
  tell_watchers "broken${reason:+ $reason}"
}

# Sets `broken` to 1 and `reason` when this instance was marked broken, or cannot work now.
see_if_broken() {
  broken=0 reason='' defect=
  if [ -e "$broken_flag" ]; then
    broken=1
    [ ! -s "$broken_flag" ] || clean_reason "$(head -c 500 "$broken_flag" 2>/dev/null)"
    return 0
  fi
  find_defect
  if [ -n "$defect" ]; then broken=1; clean_reason "$defect"; fi
}

# --- starting ---------------------------------------------------------------------------------------------------

detach() {
  setup_code=$broken_instance
  make_dirs
  find_defect
  [ -z "$defect" ] || die "this instance cannot run containers: $defect" "$broken_instance"
  # Read before any lock is taken: the sender may be slow. Only the part for this program is kept, not the secrets after it.
  incoming=$state_dir/incoming.$$
  trap 'rm -f "$incoming"' EXIT
  trap 'exit 1' HUP INT TERM
  sed -n '1s/^{"Longshore":"\([A-Za-z0-9+/=]*\)".*/\1/p' | base64 -d >"$incoming" 2>/dev/null ||
    refuse "$bad_document" 'cannot keep the configuration'
  [ -s "$incoming" ] || refuse "$bad_document" 'the configuration on standard input is not for this runner'
  take_dir_lock
  { true >>"$lock"; } 2>/dev/null || refuse "$broken_instance" "cannot write $lock"
  exec 8>>"$lock"
  flock -n 8 || die "container $uuid is already supervised here" "$occupied"
  : >"$lock"
  if is_orphaned && ! end_orphan '0.02 0.1 0.3'; then
    rm -f "$lock"
    die "processes of an earlier start of container $uuid are still alive here" "$occupied"
  fi
  trash=
  if [ -d "$home" ]; then
    read_cgroup
    remove_cgroup
    trash=$state_dir/trash.$$
    mv "$home" "$trash"
  fi
  mkdir "$home" || { rm -f "$lock"; refuse "$broken_instance" "cannot make $home"; }
  if [ -n "$attempt" ] && ! printf '%s\n' "$attempt" >"$home/attempt"; then
    rm -f "$lock"
    refuse "$broken_instance" "cannot write to $home"
  fi
  drop_dir_lock
  session=
  command -v setsid >/dev/null 2>&1 && session=setsid
  # The substitution ends when the supervisor closes its output, which it does once it minds its signals.
  child=$(
    LONGSHORE_ENGINE=$engine $session sh "$me" --supervise "$uuid" "$incoming" </dev/null 2>>"$home/supervisor.log" &
    printf '%s' "$!"
  )
  line="{\"UUID\":\"$uuid\",\"PID\":$child}"
  if ! printf '%s\n' "$line" >"$lock"; then
    kill -TERM "$child" 2>/dev/null
    die "cannot write $lock: is the disk full?"
  fi
  # From here on the supervisor removes it.
  trap - EXIT
  printf '%s\n' "$line"
  if [ -n "$trash" ]; then rm -rf "$trash"; fi
  return 0
}

supervise() {
  trap 'minded=1' USR2
  trap 'minded=1; wanted_dead=1; stop_group' TERM INT QUIT
  trap '' HUP
  main=0 main_began='' wanted_dead=0 told='' note='' tool='' fault_kind='' fault_text='' timer=0 killer=0 watcher=0
  began_at $$
  printf '%s %s\n' "$$" "$began" >"$home/began"
  read_mark
  make_cgroup
  exec >/dev/null
  read_clock
  started=$now
  read_uptime
  started_uptime=$uptime
  read_attempt
  image='' cwd='' vcpus=1 ram_bytes=0 max_run_time_s=0 log_limit_bytes=1048576 spot_check='' env_names='' complete=''
  [ -r "$incoming" ] || never_began 'the configuration is gone'
  # shellcheck disable=SC1090
  . "$incoming"
  rm -f "$incoming"
  [ -n "$complete" ] || never_began 'the configuration is damaged'
  printf '%s\n' "$started" >"$home/started"
  tell_watchers "started $uuid${attempt:+ $attempt}"
  [ -z "$image" ] || choose_engine
  make_pipes || never_began 'cannot make pipes'
  # While it is empty or not there, it is certain that the command did not begin.
  { printf '%s\n' "$started" >"$home/launched"; } 2>/dev/null || never_began "cannot write to $home"
  # Descriptors are closed by `exec`: closed at a function or group, the shell keeps a copy of them meanwhile.
  (exec <&3 3<&- 4>&- 5<&- 6>&- 8>&-; keep "$home/stdout") & out=$!
  (exec <&5 3<&- 4>&- 5<&- 6>&- 8>&-; keep "$home/stderr") & err=$!
  (
    exec >&4 2>&6 </dev/null 3<&- 4>&- 5<&- 6>&- 8>&-
    trap - USR2 TERM INT QUIT HUP
    # What an engine starts is not ours to end, and it removes what it runs itself.
    [ -z "$cgroup" ] || is_engine_with_store || { printf 0 >"$cgroup/cgroup.procs"; } 2>/dev/null
    [ -z "$mark" ] || export "${mark?}"
    true >"$home/armed"
    run_main
  ) &
  command=$!
  exec 3<&- 4>&- 5<&- 6>&-
  began_at "$command"
  # Last: a request to stop that comes now finds both or none.
  main_began=$began main=$command
  printf '%s %s\n' "$main" "$began" >"$home/main"
  if [ "$max_run_time_s" -gt 0 ]; then (exec 8>&-; limit_time) & timer=$!; fi
  if [ -n "$spot_check" ]; then (exec 8>&-; watch_spot) & watcher=$!; fi
  [ "$wanted_dead" = 0 ] || stop_group
  await_main
  # What the command left behind goes with it, also what left its group or its session.
  kill -KILL "-$main" 2>/dev/null
  for helper in "$timer" "$killer" "$watcher"; do end_helper "$helper"; done
  [ "$wanted_dead" = 0 ] || note='stopped on request'
  [ ! -e "$home/timed-out" ] || note='stopped at its time limit'
  end_left "$main" '0.01 0.02 0.05 0.1 0.2 0.4 0.8 1.6'
  note_left
  settle "$out"
  settle "$err"
  judge_engine
  finish "$code" "$note"
}

# Two pipes, open at both ends: 3 and 4 for stdout, 5 and 6 for stderr. Opening a named pipe waits for the other end, so
# one end that is both comes first.
# shellcheck disable=SC2094
make_pipes() {
  mkfifo "$home/out" "$home/err" || return
  exec 7<>"$home/out" 3<"$home/out" 4>"$home/out"
  exec 7<>"$home/err" 5<"$home/err" 6>"$home/err" 7>&-
  rm -f "$home/out" "$home/err"
}

# Sets `code` to the exit code of the command. A signal to this supervisor ends `wait` early, with a status of its own.
await_main() {
  earlier=
  while :; do
    minded=0
    wait "$main"
    code=$?
    if [ "$minded" = 1 ] && [ "$code" -gt 128 ]; then
      began_at "$main"
      earlier=
      # Both at once: the shell may have taken note of the end in the wait that told of it.
      [ "$began" = "$main_began" ] || [ "$began" = zombie ] || earlier=$code
      continue
    fi
    [ "$code" != 127 ] || [ -z "$earlier" ] || code=$earlier
    return
  done
}

# True while a process that this supervisor started runs; its number may have a new owner when it ended long ago.
is_helper() {
  [ "$1" != 0 ] || return 1
  [ -r /proc/self/stat ] || { kill -0 "$1" 2>/dev/null; return; }
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  case ${stat##*) } in [!ZX]" $$ "*) ;; *) return 1 ;; esac
}

end_helper() { if is_helper "$1"; then kill -TERM "$1" 2>/dev/null; fi; }

# Asks until it is gone: a new process loses a signal that comes before its traps are gone.
see_helper_gone() {
  for pause in 0.01 0.02 0.05 0.1 0.2 0.4 0.8 1.6 3.2; do
    is_helper "$1" || return 0
    kill -TERM "$1" 2>/dev/null
    sleep "$pause"
  done
}

# Copies a stream up to the limit, at once as it comes, and swallows the rest: the command is never held up and the disk
# never filled. The limit is the system's own on file sizes, in units of 512 bytes, so the rest is cut off at the end.
keep() {
  copier=0
  trap '' USR2 INT QUIT XFSZ
  trap 'kill -KILL "$copier" 2>/dev/null; exit 0' TERM
  # A process in the background reads from nothing unless told otherwise.
  exec 3<&0
  if ulimit -f $(((log_limit_bytes + 511) / 512)) 2>/dev/null; then
    cat <&3 >"$1" 2>/dev/null & copier=$!
    wait "$copier" && return
  else
    head -c "$log_limit_bytes" <&3 >"$1" 2>/dev/null & copier=$!
    wait "$copier"
    [ "$(head -c 1 <&3 | wc -c)" -gt 0 ] || return 0
  fi
  true >"$1.truncated"
  cat <&3 >/dev/null & copier=$!
  wait "$copier"
  truncate -s "<$log_limit_bytes" "$1" 2>/dev/null || truncate -s "$log_limit_bytes" "$1"
}

# Waits for a copier, but not for ever: a process that left the group may hold the pipe.
settle() {
  tries=0
  while is_alive "$1"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
      end_helper "$1"
      note="${note:+$note; }a process that it left behind held its output"
      return
    fi
    sleep 0.01
  done
}

# shellcheck disable=SC2034 # LONGSHORE_PREFIX: the configuration's functions put it before each name
run_main() {
  umask 022
  engine=$LONGSHORE_ENGINE
  unset LONGSHORE_ENGINE
  LONGSHORE_PREFIX=
  if [ -n "$image" ]; then container_specials run_image; fi
  folder=${cwd:-$home/work}
  [ -n "$cwd" ] || mkdir -p "$folder"
  cd "$folder" || exit 127
  container_specials run_plain
}

# Called with the NAME=VALUE words that would disturb a shell or another program on the way to the command. Variables of
# this program may be overwritten by those of the container, so all that is needed goes along as words.
run_plain() {
  [ $# -eq 0 ] || set -- env "$@"
  if leader=$(command -v setsid); then set -- "$leader" -- "$@"
  elif [ $# -eq 0 ]; then set -- env --; fi
  container_exec "$@"
}

choose_engine() {
  for name in "$LONGSHORE_ENGINE" docker podman singularity apptainer; do
    [ -n "$name" ] && tool=$(command -v "$name") && return
  done
  tool=
}

# engine_fault KIND TEXT: keeps why the engine did not run the container, and ends this process. `instance`: the engine does
# not work; `image`: the image cannot be had; `container`: the engine refuses this container alone.
engine_fault() {
  clean_reason "$2"
  printf '%s\n%s\n' "$1" "$reason" >"$home/fault"
  [ "$1" = instance ] || say "$reason"
  exit 125
}

# ask_engine WORDS: runs the engine aside, so that a request to stop ends it; sets `said` to what it printed.
ask_engine() {
  "$tool" "$@" >"$home/engine.log" 2>&1 & step=$!
  wait "$step"
  asked=$?
  said=$(tail -c 2000 "$home/engine.log" 2>/dev/null)
  return "$asked"
}

# True for an engine that keeps its containers apart from the processes of its client.
is_engine_with_store() {
  [ -n "$image" ] || return 1
  case ${tool##*/} in docker | podman) ;; *) return 1 ;; esac
}

# bounded SECONDS WORDS: runs them for so long at most. A helper of `timeout` may outlive them for a second, and is no
# process that the container left behind.
bounded() { (
  [ -z "$mark" ] || unset "${mark%%=*}"
  exec 8>&-
  exec timeout "$@"
); }

# remove_from_engine SECONDS: true when the engine has the container no more. podman would first ask it to stop.
remove_from_engine() {
  case ${tool##*/} in podman) bounded "$1" "$tool" rm -f --time 0 "longshore-$uuid" >/dev/null 2>&1 && return ;; esac
  bounded "$1" "$tool" rm -f "longshore-$uuid" >/dev/null 2>&1 && return
  # Some fail when there is no such container.
  removal=$(bounded "$1" "$tool" ps -a --quiet --filter "name=^longshore-$uuid\$" 2>/dev/null) && [ -z "$removal" ]
}

# True when the engine itself answers; else `said` is what its client says.
engine_works() {
  case ${tool##*/} in
    docker) said=$(bounded 60 "$tool" version --format '{{.Server.Version}}' 2>&1) ;;
    *) said=$(bounded 60 "$tool" info 2>&1) ;;
  esac
}

# True when the engine starts another container of the image: one whose program does not exist, which it says by 127.
engine_starts_others() {
  bounded 120 "$tool" run --rm --network none --name "longshore-check-$uuid" --entrypoint /longshore-no-such-program -- \
    "$image" >/dev/null 2>&1
  [ $? = 127 ]
}

# Called as run_plain is. Pull, create and start are apart, so that each failure is known for what it is.
run_image() {
  [ -n "$tool" ] || engine_fault image "no container engine ${engine:+such as $engine }on this instance for image $image"
  step=0
  trap 'kill -KILL "$step" 2>/dev/null; exit 143' TERM
  case ${tool##*/} in
    singularity | apptainer)
      for pair in "$@"; do export "SINGULARITYENV_$pair" "APPTAINERENV_$pair"; done
      ask_engine pull --force "$home/image.sif" "docker://$image" || engine_fault image "cannot pull image $image: $said"
      set -- exec --containall
      [ -z "$cwd" ] || set -- "$@" --pwd "$cwd"
      set -- "$tool" "$@" "$home/image.sif"
      # shellcheck disable=SC2034
      LONGSHORE_PREFIX=SINGULARITYENV_
      ;;
    *)
      create_in_engine "$@"
      set -- "$tool" start --attach "longshore-$uuid"
      trap - TERM
      [ -z "$mark" ] || unset "${mark%%=*}"
      leader=$(command -v setsid) && set -- "$leader" -- "$@"
      exec "$@"
      ;;
  esac
  trap - TERM
  leader=$(command -v setsid) && set -- "$leader" -- "$@"
  container_exec "$@"
}

create_in_engine() {
  engine_works || engine_fault instance "$said"
  # Before anything is there to be left over. podman's monitor of a container notes in this folder that memory ran out.
  cd "$home" || engine_fault instance "cannot enter $home"
  read_boot
  printf '%s\n%s\n' "$tool" "$boot" >engine || engine_fault instance "cannot write to $home"
  # A container of that name can only be what an earlier supervisor could not remove.
  ask_engine rm -f "longshore-$uuid"
  if ! ask_engine image inspect -- "$image" && ! ask_engine pull -- "$image"; then
    pulled=$said
    engine_works || engine_fault instance "$said"
    engine_fault image "cannot pull image $image: $pulled"
  fi
  # Not as words, which every user of the instance can read.
  (umask 077; : >"$home/variables"; for pair in "$@"; do printf '%s\n' "$pair"; done >"$home/variables")
  # Its own record of the output is unbounded, and read by nobody: it is kept here.
  set -- --name "longshore-$uuid" --log-driver none --env-file "$home/variables"
  for name in $env_names; do set -- "$@" --env "$name"; done
  [ -z "$cwd" ] || set -- "$@" --workdir "$cwd"
  [ "$ram_bytes" -le 0 ] || set -- "$@" --memory "$ram_bytes"
  [ "$vcpus" -le 0 ] || set -- "$@" --cpus "$vcpus"
  set -- "$@" -- "$image"
  # The program that --init needs is a package of its own, which may not be there: docker then says so here, and podman
  # does not create.
  created=1
  if has_init; then create_with --init "$@"; fi
  [ "$created" = 0 ] || create_with "$@"
  rm -f "$home/variables"
  [ "$created" != 0 ] || return 0
  refusal=$(tail -c 2000 "$home/engine.log" 2>/dev/null)
  engine_works || engine_fault instance "$said"
  engine_starts_others || engine_fault instance "$refusal"
  engine_fault container "the engine refused this container: $refusal"
}

has_init() {
  case ${tool##*/} in docker) ;; *) return 0 ;; esac
  [ "$(bounded 60 "$tool" info --format '{{.InitCommit.ID}}' 2>/dev/null)" != N/A ]
}

create_with() {
  (container_exec "$tool" create "$@") >"$home/engine.log" 2>&1 & step=$!
  wait "$step"
  created=$?
}

# Sets how the container ended by the engine's own account, and removes it: killing the client does not end what it runs.
judge_engine() {
  [ -n "$image" ] || return 0
  if [ -e "$home/fault" ]; then
    { read -r fault_kind; read -r fault_text; } <"$home/fault"
  else
    [ "$wanted_dead" = 1 ] || [ -e "$home/timed-out" ] || read_engine_state
  fi
  if is_engine_with_store && remove_from_engine 60; then rm -f "$home/engine"; fi
  case $fault_kind in
    instance) mark_broken "its container engine does not work: $fault_text" ;;
    container) note="${note:+$note; }$fault_text" fault_kind='' ;;
  esac
}

# The state after the client ended: what ran to its end has an exit code of its own, what could not start has an error.
read_engine_state() {
  case ${tool##*/} in docker | podman) ;; *) look_at_singularity; return ;; esac
  if ! state=$(
    bounded 60 "$tool" inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}' \
      -- "longshore-$uuid" 2>&1
  ); then
    clean_reason "the engine does not say how the container ended: $state"
    fault_kind=run fault_text=$reason
    engine_works || mark_broken "its container engine does not work: $said"
    return
  fi
  status=${state%% *} state=${state#* }
  ended_with=${state%% *} state=${state#* }
  out_of_memory=${state%% *} error=${state#"$out_of_memory"}
  case $status:$ended_with in
    *:*[!0-9]* | *: | running:* | paused:* | restarting:*)
      fault_kind=run fault_text='the engine let go of the container before its end'
      return
      ;;
    created:0) look_at_unstarted ;;
    *:1) code=1; look_at_init ;;
    *) code=$ended_with ;;
  esac
  [ ! -e "$home/oom" ] || out_of_memory=true
  [ "$out_of_memory" != true ] || note="${note:+$note; }it was out of memory"
  # A program that is not in the image, or cannot be run, is the container's own.
  case ${error# }:$code in :* | *:126 | *:127) return ;; esac
  clean_reason "the engine could not start it:$error"
  fault_kind=container fault_text=$reason
  engine_starts_others || fault_kind=instance
}

# singularity keeps no state, and fails with 255, which a command may end with as well: what else it starts of the image tells
# them apart. An image without a shell cannot be asked.
look_at_singularity() {
  [ "$code" = 255 ] || return 0
  bounded 120 "$tool" exec --containall "$home/image.sif" /bin/sh -c 'exit 41' >/dev/null 2>&1
  [ $? != 41 ] || return 0
  clean_reason "the engine starts nothing of the image: $(tail -c 400 "$home/stderr" 2>/dev/null)"
  fault_kind=run fault_text=$reason
}

# An engine that keeps no reason why it did not start a container (podman): sets `code` to 127 when its program is not in
# the image, else `error` to what the client said.
look_at_unstarted() {
  case ${error# } in ?*) return ;; esac
  if is_program_missing; then code=127; return; fi
  error=" $(tail -c 500 "$home/stderr" 2>/dev/null)"
  [ -n "${error# }" ] || error=' the engine did not start it'
}

# podman's init program ends with 1 when it cannot run the program, as the program itself may: sets `code` to 127 when the
# program is not in the image.
look_at_init() {
  case ${tool##*/} in podman) ;; *) return 0 ;; esac
  inspect_path
  if is_init_path && is_program_missing; then code=127; fi
}

inspect_path() { program=$(bounded 60 "$tool" inspect --format '{{.Path}}' -- "longshore-$uuid" 2>/dev/null); }

is_init_path() { case $program in /dev/init | /run/podman-init) ;; *) return 1 ;; esac }

# True when the program that the container is to run is not in its image.
is_program_missing() {
  inspect_path
  if is_init_path; then
    program=$(bounded 60 "$tool" inspect --format '{{index .Args 1}}' -- "longshore-$uuid" 2>/dev/null)
  fi
  case $program in
    '') return 1 ;;
    */*) ! is_in_container "$program" ;;
    *)
      paths=$(bounded 60 "$tool" inspect --format '{{range .Config.Env}}{{println .}}{{end}}' -- "longshore-$uuid" 2>/dev/null)
      ! is_on_path "$(printf '%s\n' "$paths" | sed -n 's/^PATH=//p' | tail -n 1)"
      ;;
  esac
}

is_in_container() { bounded 60 "$tool" cp "longshore-$uuid:$1" - >/dev/null 2>&1; }

is_on_path() {
  rest=$1:
  while [ -n "$rest" ]; do
    part=${rest%%:*} rest=${rest#*:}
    if [ -n "$part" ] && is_in_container "$part/$program"; then return 0; fi
  done
  return 1
}

# Signals the command's group, or the command alone when it leads none; nobody else who got its number since. False when
# it led none: then it may be a copy of this shell that just began, and lose the signal.
signal_main() {
  began_at "$main"
  [ "$began" = "$main_began" ] || [ "$began" = zombie ] || [ -z "$began" ] || return 0
  kill "-$1" "-$main" 2>/dev/null && return
  kill "-$1" "$main" 2>/dev/null || return 0
  return 1
}

# Asks the command to stop, then makes it.
stop_main() {
  # A new process loses a signal that comes before its traps are gone.
  for pause in 0.05 0.1 0.2 0.4 0.8 1.6 3.2; do
    [ ! -e "$home/armed" ] || break
    sleep "$pause"
  done
  for pause in 0.05 0.1 0.2 0.4; do
    if signal_main TERM; then break; fi
    sleep "$pause"
  done
  nap "$grace_s"
  signal_main KILL
}

stop_group() {
  [ "$main" != 0 ] || return 0
  if [ "$killer" != 0 ]; then signal_main TERM; return; fi
  (
    exec 8>&-
    trap - USR2 TERM INT QUIT
    stop_main
  ) &
  killer=$!
}

limit_time() {
  trap - USR2 TERM INT QUIT
  nap "$max_run_time_s"
  true >"$home/timed-out"
  stop_main
}

# never_began TEXT: ends a supervisor that could not start the command, which is no fault of the container.
never_began() {
  find_defect
  clean_reason "$1${defect:+: $defect}"
  fault_kind=instance fault_text=$reason
  [ -z "$defect" ] || mark_broken "$defect"
  finish 1 "$fault_text"
}

# finish CODE NOTE: writes the result, whole or not at all, and ends the supervisor.
finish() {
  remove_cgroup
  read_clock
  read_uptime
  rm -f "$incoming"
  if {
    printf 'exit_code=%s\nstarted=%s\nfinished=%s\n' "$1" "$started" "$now"
    printf 'duration=%s\nuptime=%s\nboot=%s\n' "$(span_between "$started_uptime" "$uptime")" "$uptime" "$boot"
    printf 'note=%s\nfault=%s\nfault_text=%s\n' "$2" "$fault_kind" "$fault_text"
    if [ -e "$home/timed-out" ]; then echo timed_out=true; else echo timed_out=false; fi
  } >"$home/result.tmp" && mv "$home/result.tmp" "$home/result"; then
    :
  else
    mark_broken 'no result can be written, no space left on device'
  fi
  # shellcheck disable=SC2086
  [ -z "$told" ] || wait $told
  exec 8>&-
  read_attempt
  tell_watchers "ended $uuid${attempt:+ $attempt}"
  for helper in "$timer" "$killer" "$watcher"; do see_helper_gone "$helper"; done
  exit 0
}

# --- spot interruption ------------------------------------------------------------------------------------------

watch_spot() {
  trap - USR2 TERM INT QUIT
  token='' fresh_until=0 vm_name='' doubts=0
  while [ "$doubts" -lt 6 ] && kill -0 $$ 2>/dev/null; do
    if "ask_$spot_check"; then
      doubts=0
      [ -z "$notice" ] || note_interruption "$notice"
    else
      doubts=$((doubts + 1))
      say "no answer about a spot interruption (try $doubts, status ${status:-none})"
    fi
    nap "${LONGSHORE_SPOT_INTERVAL_S:-5}"
  done
}

# ask_CLOUD: sets `notice`, empty when the instance stays; fails when nobody knows.
ask_ec2() {
  notice=
  read_uptime
  if [ -z "$token" ] || [ "${uptime:-0}" -ge "$fresh_until" ]; then
    fresh_until=$((${uptime:-0} + 21540000))
    ask_metadata PUT 'X-aws-ec2-metadata-token-ttl-seconds: 21600' /latest/api/token
    token=
    [ "$status" != 200 ] || token=$reply
  fi
  ask_metadata GET "X-aws-ec2-metadata-token: $token" /latest/meta-data/spot/instance-action
  case $status in
    200) notice=$reply ;;
    404) ;;
    401) token=; return 1 ;;
    *) return 1 ;;
  esac
}

# Scheduled Events: an event has the names of the machines it is about, and no object within.
ask_azure() {
  notice=
  if [ -z "$vm_name" ]; then
    ask_metadata GET 'Metadata: true' '/metadata/instance/compute/name?api-version=2021-02-01&format=text'
    [ "$status" = 200 ] && [ -n "$reply" ] || return 1
    vm_name=$reply
  fi
  ask_metadata GET 'Metadata: true' '/metadata/scheduledevents?api-version=2020-07-01'
  [ "$status" = 200 ] || return 1
  event=$(
    printf '%s' "$reply" | tr '\n}' ' \n' | grep '"EventType" *: *"Preempt"' | grep -i -F "\"$vm_name\"" | head -n 1
  )
  [ -n "$event" ] || return 0
  notice="{\"action\":\"preempt\",\"time\":\"$(printf '%s' "$event" | sed -n 's/.*"NotBefore" *: *"\([^"]*\)".*/\1/p')\"}"
}

# ask_metadata METHOD HEADER PATH: sets `status` and `reply`; an empty status means no answer.
ask_metadata() {
  status='' reply=''
  if command -v curl >/dev/null 2>&1; then
    reply=$(curl -sS -m 60 --noproxy '*' -X "$1" -H "$2" -w '\n%{http_code}' "$imds$3" 2>/dev/null) || return 0
  elif command -v wget >/dev/null 2>&1; then
    reply=$(
      wget -q -S -O - -T 60 -t 1 --no-proxy --content-on-error --method="$1" --header="$2" "$imds$3" 2>"$home/wget"
      printf '\n'
      sed -n 's/^ *HTTP\/[0-9.]* \([0-9]*\).*/\1/p' "$home/wget" | tail -n 1
    )
  fi
  status=${reply##*"$newline"}
  reply=${reply%"$newline"*}
}

note_interruption() {
  text=$(printf '%s' "$1" | tr -cd '\040-\176' | head -c 200)
  [ -e "$notice_file" ] && [ "$(cat "$notice_file")" = "$text" ] && return
  printf '%s' "$text" >"$notice_file.$$" && mv "$notice_file.$$" "$notice_file"
  tell_watchers "interruption $text"
}

# --- asking -----------------------------------------------------------------------------------------------------

each_container() {
  for folder in "$state_dir"/c/*; do
    if [ -d "$folder" ] && set_uuid "${folder##*/}"; then "$1"; fi
  done
}

list() {
  make_dirs
  [ "$1" = 0 ] || keep_prices
  see_if_broken
  if [ "$broken" = 1 ]; then
    echo broken
    [ -z "$reason" ] || printf 'broken-because %s\n' "$reason"
  fi
  [ ! -s "$notice_file" ] || printf 'interruption %s\n' "$(cat "$notice_file")"
  say_under_lock list_containers
}

# Runs it under the directory lock and prints what it prints after: the one who reads may be slow.
say_under_lock() {
  take_dir_lock
  lines=$($1)
  drop_dir_lock
  [ -z "$lines" ] || printf '%s\n' "$lines"
}

list_containers() {
  for file in "$lock_dir"/crunch-run-*.lock; do
    if [ ! -s "$file" ] || [ ! -f "$file" ]; then continue; fi
    file=${file##*/crunch-run-}
    set_uuid "${file%.lock}" || continue
    if ! is_held; then rm -f "$lock"; continue; fi
    if is_supervised; then list_attempt; printf '%s\n' "$uuid"
    elif [ "$pid" = 0 ]; then say "the lock file of $uuid cannot be read"
    elif [ ! -e "$home/result" ]; then printf '%s stale\n' "$uuid"; fi
  done
  each_container list_ended
}

# A line of its own: readers that know only the container's line pass over it.
list_attempt() {
  read_attempt
  [ -z "$attempt" ] || printf 'attempt %s %s\n' "$uuid" "$attempt"
}

# With a result it ended, whoever holds its lock: called stale, it would be taken for lost and run again.
list_ended() {
  if is_held && { [ ! -e "$home/result" ] || is_supervised; }; then return; fi
  if is_orphaned && ! end_orphan '0.01 0.05 0.1'; then list_orphan; return; fi
  list_attempt
  printf '%s ended\n' "$uuid"
}

# What is left of a container whose supervisor was killed cannot be ended at once: until it is, it counts as alive, so
# that the container does not begin elsewhere. After a minute it is stale, and the instance is not trusted any more.
list_orphan() {
  read_uptime
  [ -s "$home/orphaned" ] || printf '%s\n' "${uptime:-0}" >"$home/orphaned"
  since=
  read -r since <"$home/orphaned"
  printf 'orphaned %s\n' "$uuid"
  waited=$(span_between "$since" "${uptime:-0}")
  if [ "${waited:-0}" -ge 60000 ]; then printf '%s stale\n' "$uuid"; else list_attempt; printf '%s\n' "$uuid"; fi
}

keep_prices() {
  prices=$lock_dir/crunch-run-prices.json
  if cat >"$prices~$$" && [ -s "$prices~$$" ]; then mv "$prices~$$" "$prices"; else rm -f "$prices~$$"; fi
}

kill_container() {
  make_dirs
  held=0
  take_dir_lock
  if is_held; then held=1; fi
  drop_dir_lock
  if [ "$held" = 1 ] && is_supervised; then
    target=$pid still=is_supervised
  elif is_orphaned; then
    end_orphan '0.02 0.05 0.1 0.2 0.4' || die "processes of container $uuid are still alive"
    say "container $uuid ended"
    return 0
  elif [ "$held" = 1 ] && [ "$pid" = 0 ]; then
    die "the lock file of $uuid cannot be read"
  else
    say "container $uuid is not running"
    return 0
  fi
  kill "-$signal" "$target" 2>/dev/null || kill "-$signal" "${target#-}" 2>/dev/null || ! "$still" ||
    die "cannot send signal $signal to container $uuid"
  tries=0
  while "$still"; do
    tries=$((tries + 1))
    [ "$tries" -le 50 ] || die "container $uuid is still alive after 1 s"
    sleep 0.02
  done
  say "container $uuid ended"
}

# True when it has a result, or is neither supervised nor orphaned. Only under the directory lock.
has_ended() {
  if is_held || is_orphaned; then [ -e "$home/result" ]; fi
}

collect() {
  [ -d "$home" ] || die "container $uuid is not known here" 4
  take_dir_lock
  if ! is_held && is_orphaned; then end_orphan '0.02 0.05 0.1 0.2'; fi
  has_ended || die "container $uuid is still running" 3
  drop_dir_lock
  exit_code=255 started=0 finished=0 duration='' ended_uptime='' ended_boot='' timed_out=false lost=true note='its supervisor ended without a result'
  fault_kind='' fault_text=''
  [ -r "$home/started" ] && read -r started <"$home/started"
  if [ -s "$home/result" ]; then lost=false; else read_clock; finished=$now; find_cause; fi
  while IFS= read -r line; do
    case $line in
      exit_code=*) exit_code=${line#*=} ;;
      started=*) started=${line#*=} ;;
      finished=*) finished=${line#*=} ;;
      duration=*) duration=${line#*=} ;;
      uptime=*) ended_uptime=${line#*=} ;;
      boot=*) ended_boot=${line#*=} ;;
      timed_out=*) timed_out=${line#*=} ;;
      note=*) note=${line#*=} ;;
      fault=*) fault_kind=${line#*=} ;;
      fault_text=*) fault_text=${line#*=} ;;
    esac
  done <<EOT
$(cat "$home/result" 2>/dev/null)
EOT
  end_survivors
  for number in "$exit_code" "$started" "$finished"; do
    case $number in '' | *[!0-9]*) die "the result of container $uuid is damaged" ;; esac
  done
  # What the daemon reckons with: how long it ran and how long ago it ended, by the uptime.
  began_at $$
  read_uptime
  [ "$ended_boot" = "$boot" ] || ended_uptime=
  spans=
  case $duration in '' | *[!0-9]*) ;; *) spans="\"durationMs\":$duration," ;; esac
  age=$(span_between "$ended_uptime" "$uptime")
  [ -z "$age" ] || spans="$spans\"endedAgoMs\":$age,"
  truncated=false fault_json=
  [ -z "$fault_kind" ] || fault_json="\"fault\":{\"kind\":\"$fault_kind\",\"text\":\"$fault_text\"},"
  read_attempt
  if [ -e "$home/stdout.truncated" ] || [ -e "$home/stderr.truncated" ]; then truncated=true; fi
  printf '{"uuid":"%s","exitCode":%s,"startedAt":%s,"finishedAt":%s,%s"stdoutBytes":%s,"stderrBytes":%s,"timedOut":%s,"truncated":%s,"lost":%s,%s%s"note":"%s"}\n' \
    "$uuid" "$exit_code" "$started" "$finished" "$spans" "$(size_of stdout)" "$(size_of stderr)" \
    "$timed_out" "$truncated" "$lost" "${attempt:+\"attempt\":$attempt,}" \
    "$fault_json" "$note"
  encode "$home/stdout"
  encode "$home/stderr"
}

# Why there is no result: sets `note`, and the fault when it is certain that the command did not begin.
find_cause() {
  began=
  [ -r "$home/began" ] && read -r supervisor began <"$home/began"
  read_boot
  case $began:$boot in
    *@?*:?*) [ "${began#*@}" = "$boot" ] || { note='the instance rebooted'; return; } ;;
  esac
  # One of an earlier version of this program wrote no `launched`.
  if [ -s "$home/launched" ] || [ -e "$home/main" ]; then return; fi
  note='its supervisor ended before the command began'
  fault_kind=instance fault_text=$note
}

# A result is given away only when nothing of the container runs any more, or cannot be ended.
end_survivors() {
  main=0 ended=0
  read_mark
  read_cgroup
  end_left '' '0.01 0.05 0.1 0.2 0.4'
  [ -r "$home/ended-left" ] && read -r ended <"$home/ended-left"
  case $ended in '' | *[!0-9]*) ended=0 ;; esac
  ended_left=$((ended_left + ended))
  note_left
  remove_cgroup
}

size_of() {
  size=0
  [ ! -s "$home/$1" ] || size=$(wc -c <"$home/$1")
  printf '%d' "$size"
}

encode() {
  if [ -s "$1" ]; then base64 <"$1" | tr -d '\n'; fi
  echo
}

# Without effect when another attempt took the place of the one that is named.
discard() {
  make_dirs
  take_dir_lock
  read_attempt
  if [ -n "$1" ] && [ -n "$attempt" ] && [ "$1" != "$attempt" ]; then
    say "container $uuid is here with attempt $attempt"
    return 0
  fi
  has_ended || die "container $uuid is still running" 3
  for trash in "$state_dir"/trash.*; do [ ! -d "$trash" ] || rm -rf "$trash"; done
  trash=$state_dir/trash.$$
  if [ -d "$home" ]; then mv "$home" "$trash" || die "cannot remove $home"; fi
  if ! is_held; then rm -f "$lock"; fi
  drop_dir_lock
  rm -rf "$trash"
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
  while [ ! -e "$home/result" ] && is_supervised && kill -0 "$reader" 2>/dev/null; do sleep 0.2; done
  # tail looks for growth each second at worst.
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
  beat >/dev/null 2>&1 & beater=$!
  trap 'rm -f "$fifo"; kill "$beater" 2>/dev/null; exit 0' EXIT TERM INT HUP
  echo attached || exit 0
  see_if_broken
  [ "$broken" = 0 ] || printf 'broken%s\n' "${reason:+ $reason}"
  [ ! -s "$notice_file" ] || printf 'interruption %s\n' "$(cat "$notice_file")"
  say_under_lock 'each_container tell_present'
  while IFS= read -r line <&7; do
    printf '%s\n' "$line" || exit 0
  done
}

tell_present() {
  read_attempt
  if [ -e "$home/result" ]; then printf 'ended %s\n' "$uuid${attempt:+ $attempt}"
  elif is_held; then printf 'started %s\n' "$uuid${attempt:+ $attempt}"
  elif ! is_orphaned; then printf 'ended %s\n' "$uuid${attempt:+ $attempt}"; fi
}

# A word now and then: it fails when nobody listens any more, which ends the watcher; and what no supervisor tells.
beat() {
  told_broken=0 suspects='' told_lost=''
  [ ! -e "$broken_flag" ] || told_broken=1
  while nap "${LONGSHORE_BEAT_S:-15}" && kill -0 $$ 2>/dev/null; do
    printf 'alive\n' 1<>"$fifo"
    if [ "$told_broken" = 0 ]; then
      see_if_broken
      if [ "$broken" = 1 ]; then told_broken=1; printf 'broken%s\n' "${reason:+ $reason}" 1<>"$fifo"; fi
    fi
    earlier=$suspects suspects=
    each_container tell_lost
  done
}

# A container whose supervisor was killed: told when two looks in a row agree, since one may fall in its start. While its
# lock is held it starts, which takes long on a busy instance.
tell_lost() {
  if [ -e "$home/result" ] || is_supervised || is_orphaned; then return; fi
  case $told_lost in *"$uuid"*) return ;; esac
  [ "$(take_dir_lock; is_held && echo held)" != held ] || return 0
  suspects="$suspects $uuid"
  read_attempt
  case $earlier in *"$uuid"*) printf 'ended %s\n' "$uuid${attempt:+ $attempt}" 1<>"$fifo"; told_lost="$told_lost $uuid" ;; esac
}

# --- words ------------------------------------------------------------------------------------------------------

[ $# -gt 0 ] || { usage >&2; exit 2; }
mode='' engine='' attempt='' follow_words='' target='' told='' pid=0 incoming='' mark='' image='' tool='' seen=' '
case $1 in
  --help | -h | -help) usage; exit 0 ;;
  --version | -version) echo "$version"; exit 0 ;;
  --list | -list)
    case $#:${2:-} in
      1:) list 0 ;;
      2:--stdin-prices | 2:-stdin-prices) list 1 ;;
      *) usage >&2; exit 2 ;;
    esac
    exit 0
    ;;
  --watch | -watch)
    [ $# -eq 1 ] || { usage >&2; exit 2; }
    watch
    exit 0
    ;;
  --supervise)
    [ $# -eq 3 ] || { usage >&2; exit 2; }
    check_uuid "$2"
    incoming=$3
    supervise
    ;;
  --kill | -kill)
    [ $# -eq 3 ] || die 'give a signal number and a container id' 2
    signal=$2
    case $signal in '' | *[!0-9]*) die "\"$signal\" is no signal number" 2 ;; esac
    check_uuid "$3"
    kill_container
    exit
    ;;
  --collect)
    [ $# -eq 2 ] || die 'give one container id' 2
    check_uuid "$2"
    collect
    exit
    ;;
  --discard)
    [ $# -eq 2 ] || [ $# -eq 3 ] || die 'give one container id, and the number of its attempt' 2
    check_uuid "$2"
    discard "${3:-}"
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
    --attempt=*) attempt=${word#*=} ;;
    -*) ;;
    *) [ -z "$target" ] || die 'give one container id' 2; target=$word ;;
  esac
done
if [ "$mode" != detach ] || [ "$follow_words" != config ]; then usage >&2; exit 2; fi
[ -n "$target" ] || die 'give one container id' 2
case $engine in '' | docker | podman | singularity) ;; *) engine='' ;; esac
case $attempt in *[!0-9]*) die "\"$attempt\" is no number of an attempt" 2 ;; esac
check_uuid "$target"
detach
