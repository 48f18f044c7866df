# shellcheck shell=bash
# Loop devices are this machine's, not the node's: those of the node are found by the
# file behind them.

# A loop device is the node's if its file is in the node's state, or on a file system
# that is mounted nowhere out here (one of the node's own).
# shellcheck disable=SC2153 # state.sh sets STATE
loop_ours() {
  local name inode device file state=-
  [[ ! -d $STATE ]] || state=$(stat -c %Hd:%Ld "$STATE")
  while read -r name inode device file; do
    if [[ $file == "$STATE"/* ]] || ! awk -v device="$device" '$3 == device { found = 1 } END { exit !found }' /proc/self/mountinfo ||
      [[ $device == "$state" && -n $(find "$STATE" -xdev -inum "$inode" -print -quit) ]]; then
      printf '%s\n' "$name"
    fi
  done < <(losetup -nl -O NAME,BACK-INO,BACK-MAJ:MIN,BACK-FILE)
}

loops_gone() {
  local name
  for name in $(loop_ours); do losetup -d "$name" || true; done
  [[ -z $(loop_ours) ]]
}
