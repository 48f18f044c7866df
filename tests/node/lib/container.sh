# shellcheck shell=bash
# The container: started by systemd-nspawn, entered with nsenter, ended with SIGKILL.

RUN=/run/kaapana-test-node
MACHINE=kaapana-node

# The node that runs may be that of another cache.
# shellcheck disable=SC2034 # of state.sh
[[ ! -r $RUN/state ]] || STATE=$(<"$RUN/state")

# The init's pid, if it lives: RUN/init holds the pid and when it was started.
init_pid() {
  local pid started
  read -r pid started 2>/dev/null <"$RUN/init" || return 1
  [[ $(init_started "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}
init_started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# The process in the node's cgroup that is number 1 in a PID namespace one below ours.
find_init() {
  local pid
  for pid in $(cgroup_pids); do
    if [[ $(awk '/^NSpid:/ { print NF, $NF }' "/proc/$pid/status" 2>/dev/null) == "3 1" && -S /proc/$pid/root/run/systemd/private ]]; then
      printf '%s %s\n' "$pid" "$(init_started "$pid")" >"$RUN/init"
      return
    fi
  done
  return 1
}

container_start() {
  local disk loop devices=() layers
  mkdir -p "$RUN"
  date -u +%FT%TZ >"$RUN/booted"
  printf '%s\n' "$STATE" >"$RUN/state"
  for disk in fast slow; do losetup --find "$STATE/disks/$disk.img"; done
  for loop in /dev/loop[0-9]* /dev/loop-control /dev/kmsg /dev/fuse; do
    [[ ! -e $loop ]] || devices+=("--bind=$loop")
  done
  layers=$(part_path system):$(part_path root)
  cgroup_create
  (
    [[ -z ${NODE_LOCK:-} ]] || exec {NODE_LOCK}>&-
    cgroup_enter "$(cgroup_folders)"
    # The overlay and nspawn's own folders are in a mount namespace that ends with the node.
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec setsid unshare --mount --propagation private bash -c '
      set -e
      state=$1 layers=$2
      shift 2
      mkdir -p /run/systemd
      mount -t tmpfs -o mode=0755 tmpfs /run/systemd
      mount -t overlay -o "lowerdir=$layers,upperdir=$state/upper,workdir=$state/work" overlay "$state/root"
      exec systemd-nspawn -q -D "$state/root" "$@"' bash "$STATE" "$layers" \
      --boot --register=no --keep-unit --machine="$MACHINE" --private-network --capability=all \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
      --system-call-filter='@keyring bpf perf_event_open @module @mount @privileged @raw-io @clock' \
      --bind="$STATE/microk8s:/var/snap/microk8s" \
      --bind="$STATE_ETCD:/var/snap/microk8s/8511/var/kubernetes/backend" "${devices[@]}"
  ) </dev/null >"$STATE/console.log" 2>&1 &
  disown
  until_ok 20 find_init || {
    tail -n 20 "$STATE/console.log" >&2
    die "the container does not start"
  }
}

# Kills everything in the node at once and gives back what it had of this machine.
container_kill() {
  until_ok 20 cgroup_empty || die "these processes do not end: $(cgroup_pids | xargs)"
  until_ok 10 loops_gone || die "these loop devices stay busy: $(loop_ours | xargs)"
  until_ok 10 cgroup_gone || die "these cgroups do not go: $(cgroup_folders | xargs)"
  rm -rf "$RUN"
}

# run_inside COMMAND...: in the node, with a clean environment.
run_inside() {
  local pid
  pid=$(init_pid) || die "no node is running"
  (
    # Where the node's own cgroup tree begins.
    cgroup_enter "$(cgroup_of "$pid" | sed 's|/init.scope$||')"
    exec nsenter -t "$pid" -m -u -i -n -p -C -- /usr/bin/env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/bash \
      LANG=C.UTF-8 TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin "$@"
  )
}

wait_ready() { run_inside /usr/local/lib/testnode/wait-ready "$(cat "$RUN/booted")" "${1:-90}"; }
