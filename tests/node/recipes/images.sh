#!/bin/bash
# The two container images of the node itself, as docker-archive files: busybox, and a
# pause image that is the same busybox asleep.
# uses: lib/apt.sh
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "$0")/../lib/common.sh"
# shellcheck source=../lib/apt.sh
. "$NODE_DIR/lib/apt.sh"
out=$1

host_packages busybox-static jq

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/layer/{bin,etc,tmp,var} "$work/image"
chmod 1777 "$work/layer/tmp"
install -m 0755 /bin/busybox "$work/layer/bin/busybox"
for applet in $(/bin/busybox --list); do
  [[ $applet == busybox ]] || ln -s busybox "$work/layer/bin/$applet"
done
printf 'root:x:0:0:root:/:/bin/sh\n' >"$work/layer/etc/passwd"
printf 'root:x:0:\n' >"$work/layer/etc/group"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work/layer" -cf "$work/image/layer.tar" .
layer=$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)

config() { # COMMAND-JSON: writes an image configuration, prints its file name
  local json name
  json=$(jq -cn --arg layer "sha256:$layer" --argjson command "$1" '{
    architecture: "amd64", os: "linux", created: "1970-01-01T00:00:00Z",
    config: {Cmd: $command, Env: ["PATH=/bin"]},
    rootfs: {type: "layers", diff_ids: [$layer]}}')
  name=$(printf '%s' "$json" | sha256sum | cut -d' ' -f1).json
  printf '%s' "$json" >"$work/image/$name"
  printf '%s\n' "$name"
}
jq -n --arg busybox "$(config '["/bin/sh"]')" --arg pause "$(config '["/bin/sleep", "2147483647"]')" '[
  {Config: $busybox, RepoTags: ["localhost/busybox:1"], Layers: ["layer.tar"]},
  {Config: $pause, RepoTags: ["localhost/pause:1"], Layers: ["layer.tar"]}]' >"$work/image/manifest.json"
tar -C "$work/image" -cf "$out/node.tar" .
