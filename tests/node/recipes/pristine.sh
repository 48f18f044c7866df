#!/bin/bash
# A cluster that has come up once: its certificates, its etcd with everything Kubernetes
# makes for itself, containerd with the node's own images. Every boot starts on a copy.
# uses: lib/cgroup.sh lib/container.sh lib/state.sh
# needs: system root images
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
for file in cache cgroup loop state container; do
  # shellcheck source=/dev/null
  . "$NODE_DIR/lib/$file.sh"
done
out=$1

state_blank
trap 'container_kill; state_remove' EXIT
container_start
run_inside /usr/local/lib/testnode/first-boot <"$(part_path images)/node.tar"
container_kill
rm -rf "$STATE/microk8s/common/run"
touch "$STATE/microk8s/common/.pristine"
cp -a --sparse=always "$STATE/microk8s" "$out/microk8s"
cp -a --sparse=always "$STATE_ETCD" "$out/etcd"
