#!/bin/bash
# The node's root: Debian 12, minimal, with all that Debian has of a MicroK8s node.
# uses: lib/apt.sh
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/apt.sh
. "$NODE_DIR/lib/apt.sh"
out=$1

host_packages mmdebstrap

packages=(
  systemd systemd-sysv dbus polkitd libpam-systemd                # what the agent talks to
  containerd runc containernetworking-plugins etcd-server         # under Kubernetes
  iproute2 iptables conntrack kmod procps psmisc                  # what the kubelet calls
  e2fsprogs mount util-linux fuse3                                # disks, and their faults
  openssl curl jq less ca-certificates bash-completion netbase    # for tests and people
  busybox-static docker-registry
)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apt_sources deb "$work/sources"
apt-config dump | grep -E '^Acquire::[^ ]+ ".+";' >"$work/acquire.conf" || true

include=$(IFS=, && printf '%s' "${packages[*]}")
mmdebstrap --mode=root --variant=minbase --include="$include" \
  --aptopt="$work/acquire.conf" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  bookworm "$out" "$work"/sources/*

# Nothing of this machine's apt or name service goes into the node, and no network is there.
rm -rf "$out"/etc/apt/sources.list "$out"/etc/apt/sources.list.d/* "$out"/etc/apt/apt.conf.d/99mmdebstrap \
  "$out"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$out"/var/lib/apt/lists/* "$out"/etc/resolv.conf
printf 'nameserver 127.0.0.1\n' >"$out/etc/resolv.conf"
printf 'kaapana-node\n' >"$out/etc/hostname"
printf '127.0.0.1 localhost\n10.77.0.2 kaapana-node\n' >"$out/etc/hosts"
: >"$out/etc/machine-id"

# Debian's own units of what runs under MicroK8s's names here, and timers without a use.
chroot "$out" groupadd --system microk8s
systemctl --root="$out" -q mask etcd.service containerd.service docker-registry.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-firstboot.service \
  systemd-networkd-wait-online.service
