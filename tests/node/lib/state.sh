# shellcheck shell=bash
# What a node writes: the upper layer over its root, MicroK8s's data and the data disks.
# It outlives a crash, not a down.

STATE=$NODE_CACHE/node
# etcd waits for the disk at every write; a test has no use for that.
STATE_ETCD=/dev/shm/kaapana-test-node

# Everything but a cluster.
state_common() {
  local disk
  state_remove
  mkdir -p "$STATE"/{root,upper,work,disks}
  mkdir -m 0700 "$STATE_ETCD"
  for disk in fast slow; do state_disk "$disk"; done
}

# state_disk NAME: a new file system, and the mount unit that knows it by its UUID.
state_disk() {
  local uuid units=$STATE/upper/etc/systemd/system
  uuid=$(cat /proc/sys/kernel/random/uuid)
  truncate -s 2G "$STATE/disks/$1.img"
  mkfs.ext4 -q -F -U "$uuid" -L "$1" -E nodiscard "$STATE/disks/$1.img"
  mkdir -p "$units"
  sed "s/@UUID@/$uuid/" "$NODE_DIR/units/data-$1.mount" >"$units/data-$1.mount"
}

# A server that was never started.
state_blank() {
  local system data=$STATE/microk8s/8511 group
  system=$(part_path system)
  state_common
  mkdir -p "$data"/{credentials,certs,var/kubernetes/backend} "$STATE/microk8s/common"/{run,default-storage,var/lib/{kubelet,containerd}}
  ln -s 8511 "$STATE/microk8s/current"
  cp -r "$system/usr/local/lib/testnode/args" "$data/args"
  mkdir -p "$data/args/certs.d"
  "$NODE_DIR/standins/certs" "$data"
  group=$(awk -F: '$1 == "microk8s" { print $3 }' "$(part_path root)/etc/group")
  chgrp -R "$group" "$data/credentials" "$data/args"
  chmod 0770 "$data/credentials"
}

state_pristine() {
  state_common
  cp -a --sparse=always "$(part_path pristine)/microk8s" "$STATE/microk8s"
  cp -a --sparse=always "$(part_path pristine)/etcd/." "$STATE_ETCD"
  mkdir -p "$STATE/microk8s/common/run"
}

state_exists() { [[ -d $STATE/microk8s ]]; }

state_remove() { rm -rf --one-file-system "$STATE" "$STATE_ETCD"; }
