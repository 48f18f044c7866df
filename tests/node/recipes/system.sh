#!/bin/bash
# The layer over the root that makes it look like MicroK8s: units, commands, arguments.
# uses: standins units inside microk8s
# needs: root tools kubernetes
# varies: for f in kube-apiserver etcd kubectl; do stat -Lc '%n %s %Y' "${KUBEBUILDER_ASSETS:-/nowhere}/$f" 2>/dev/null || true; done
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/cache.sh
. "$NODE_DIR/lib/cache.sh"
out=$1
snap=$out/snap/microk8s/8511
inside=$out/usr/local/lib/testnode
systemd=$out/etc/systemd/system

# Links below /snap and /var/snap are relative, so that they can be followed from outside
# through /proc/PID/root too.
mkdir -p "$snap/bin" "$out/snap/bin" "$inside" "$systemd" "$out"/data/{fast,slow} \
  "$out"/var/{snap/microk8s,lib,log/journal} "$out"/etc/{profile.d,systemd/journald.conf.d}
cp -l "$(part_path kubernetes)"/bin/* "$snap/bin/"
cp -l "$(part_path tools)"/bin/{helm,kubectl} "$snap/bin/"
cp -l "$(part_path tools)/bin/helm4" "$inside/helm4"
ln -s 8511 "$out/snap/microk8s/current"
ln -s ../snap/microk8s/common/var/lib/kubelet "$out/var/lib/kubelet"

install -m 0755 "$NODE_DIR"/standins/{daemon,kubelite,apiserver-kicker,prepare,certs,hostpath-provisioner} \
  "$NODE_DIR"/inside/* "$inside/"
install -m 0644 "$NODE_DIR"/standins/{args.sh,coredns.yaml,storage.yaml} "$NODE_DIR/units/snap.env" "$inside/"
install -m 0755 "$NODE_DIR/standins/microk8s" "$out/snap/bin/microk8s"
for name in kubectl ctr helm helm3 status start stop enable refresh-certs config; do
  ln -s microk8s "$out/snap/bin/microk8s.$name"
done
cp -r "$NODE_DIR/microk8s/args" "$inside/args"
# shellcheck disable=SC2016 # for the node's shells
printf 'PATH=$PATH:/snap/bin\n' >"$out/etc/profile.d/snap.sh"
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\n' >"$out/etc/systemd/journald.conf.d/testnode.conf"

# Another control plane, where Kubernetes' own convention names one.
etcd=/usr/bin/etcd
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  install -m 0755 "$KUBEBUILDER_ASSETS"/{kube-apiserver,kubectl} "$snap/bin/"
  install -m 0755 "$KUBEBUILDER_ASSETS/etcd" "$snap/bin/etcd"
  etcd=/snap/microk8s/current/bin/etcd
fi
for daemon in kube-apiserver kube-controller-manager; do
  # Jobs with a time to live: a gate in the releases up to 1.22, always there since.
  [[ $("$snap/bin/$daemon" --version) != *v1.2[0-2].* ]] ||
    printf -- '--feature-gates=TTLAfterFinished=true\n' >>"$inside/args/$daemon"
done

for unit in "$NODE_DIR"/units/*.service; do
  sed "s|/usr/bin/etcd|$etcd|" "$unit" >"$systemd/$(basename "$unit")"
done
cp "$NODE_DIR"/units/*.mount "$systemd/"
(cd "$systemd" && systemctl --root="$out" -q enable -- *.service *.mount)
