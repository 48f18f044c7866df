#!/bin/bash
# The Kubernetes daemons, from Debian's source package (the complete upstream source;
# Debian's own binary package is kubectl only). Five minutes on two cores.
# uses: lib/apt.sh recipes/kubernetes.patch
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/apt.sh
. "$NODE_DIR/lib/apt.sh"
out=$1

host_packages golang-go rsync jq dpkg-dev patch make gcc libc6-dev

work=$(mktemp -d -p "$NODE_CACHE")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
apt_sources deb-src "$work/sources"
mapfile -t options < <(apt_options "$work/sources" "$work/lists")
apt-get "${options[@]}" update || true # one of several sources may be away
cd "$work"
apt-get "${options[@]}" source kubernetes
cd "$work"/kubernetes-*/
patch -p1 <"$NODE_DIR/recipes/kubernetes.patch"

daemons=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
export HOME=$work GOCACHE=$work/go-cache CGO_ENABLED=0
nice -n 15 make all WHAT="$(printf 'cmd/%s ' "${daemons[@]}")" GOFLAGS=-mod=vendor GOLDFLAGS='-s -w'
mkdir -p "$out/bin"
for daemon in "${daemons[@]}"; do
  install -m 0755 "_output/bin/$daemon" "$out/bin/$daemon" 2>/dev/null ||
    install -m 0755 "_output/local/go/bin/$daemon" "$out/bin/$daemon"
done
"$out/bin/kube-apiserver" --version
