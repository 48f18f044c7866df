# shellcheck shell=bash
# The node's own cgroup, below the caller's, one folder in each hierarchy: all that the
# node starts is in it, so it can be found, killed and cleared away as a whole.

CGROUP=kaapana-test-node

# cgroup_of PID: its folder in every hierarchy.
cgroup_of() {
  local controllers path
  while IFS=: read -r _ controllers path; do
    awk -v name="${controllers%%,*}" -v path="${path%/}" '{
      for (i = 7; $i != "-"; i++);
      if (name == "" ? $(i + 1) == "cgroup2" : ($(i + 1) == "cgroup" && index("," $(i + 3) ",", "," name ","))) {
        print $5 path; exit
      }
    }' /proc/self/mountinfo
  done <"/proc/$1/cgroup"
}

cgroup_folders() { find /sys/fs/cgroup -maxdepth 6 -type d -name "$CGROUP" -prune 2>/dev/null; }

cgroup_create() {
  local parent file
  while IFS= read -r parent; do
    mkdir -p "$parent/$CGROUP"
    for file in cpuset.cpus cpuset.mems; do # empty in a new folder, and then nothing may enter it
      [[ ! -e $parent/$file ]] || cat "$parent/$file" >"$parent/$CGROUP/$file"
    done
  done < <(cgroup_of self)
}

# cgroup_enter FOLDERS: puts the calling process there.
cgroup_enter() {
  local folder
  for folder in $1; do echo "$BASHPID" >"$folder/cgroup.procs"; done
}

cgroup_pids() {
  local folder
  cgroup_folders | while IFS= read -r folder; do
    find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done | sort -un
}

cgroup_empty() {
  local pids
  mapfile -t pids < <(cgroup_pids)
  ((${#pids[@]} == 0)) || {
    kill -KILL "${pids[@]}" 2>/dev/null || true
    return 1
  }
}

cgroup_gone() {
  local folder
  cgroup_folders | while IFS= read -r folder; do
    find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  [[ -z $(cgroup_folders) ]]
}
