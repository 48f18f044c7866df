# shellcheck shell=bash
# The sub-commands that change something.

# One command at a time over all checkouts and caches: there is one set of loop devices
# and one name.
with_lock() {
  local lock
  need_root
  exec {lock}>/run/kaapana-test-node.lock
  flock -w 600 "$lock" || die "another node command holds the lock"
  NODE_LOCK=$lock "$@" # the container must not inherit it, container_start closes it
}

build() {
  host_packages systemd-container busybox-static jq unzip rsync iproute2 e2fsprogs util-linux curl openssl psmisc
  part_ensure tools
  part_ensure images
  part_ensure root
  part_ensure kubernetes
  part_ensure system
  if [[ ! -d $(part_path pristine) ]]; then
    ! init_pid >/dev/null || die "the node must be down for this build"
    part_ensure pristine
  fi
}

boot() {
  local started
  started=$(now_ms)
  if init_pid >/dev/null; then
    wait_ready 30 || die "it is running (init $(init_pid)), but not healthy"
    say "it is already running (init $(init_pid))"
    return
  fi
  build
  container_kill # what a node that half started, or was killed by others, may have left
  state_exists || state_pristine
  container_start
  import_folder
  wait_ready
  say "ready after $(since "$started")"
}

reset() {
  local started
  started=$(now_ms)
  container_kill
  state_remove
  boot
  say "reset in $(since "$started")"
}

down() {
  container_kill
  state_remove
}

import() {
  local file
  # After a crash there is a socket that nobody answers at.
  until_ok 30 run_inside /snap/bin/microk8s.ctr version >/dev/null 2>&1 || die "containerd does not answer"
  for file in "$@"; do
    run_inside /snap/bin/microk8s.ctr images import - <"$file" >/dev/null ||
      die "cannot import $file"
  done
}

# The folder of images of whoever uses the node.
import_folder() {
  local files=()
  [[ -n ${KAAPANA_NODE_IMAGES:-} ]] || return 0
  mapfile -t files < <(find "$KAAPANA_NODE_IMAGES" -maxdepth 1 -name '*.tar' | LC_ALL=C sort)
  import "${files[@]}"
}

# What is left of a node that is down; nothing, if all is well.
leftovers() {
  local found
  found=$(
    cgroup_folders | sed 's/^/cgroup /'
    cgroup_pids | sed 's/^/process /'
    pgrep -f -- "--machine=$MACHINE" | sed 's/^/process /' || true
    loop_ours | sed 's/^/loop /'
    awk -v state="$STATE/" 'index($5, state) == 1 { print "mount " $5 }' /proc/self/mountinfo
    ip -o link show 2>/dev/null | awk -F': ' '$2 ~ /^(uplink0|cni0|ve-|veth)/ { print "interface " $2 }'
    find "$RUN" "$STATE" "$STATE_ETCD" -maxdepth 0 -printf 'folder %p\n' 2>/dev/null || true
  )
  [[ -n $found ]] || return 0
  printf '%s\n' "$found" | sort -u
  return 1
}
