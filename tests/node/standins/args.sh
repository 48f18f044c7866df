# shellcheck shell=bash
# read_args DAEMON: the arguments in MicroK8s's file of them, into the array args, by
# the rules of MicroK8s: comments, quotes, and variables of the snap.
read_args() {
  local text
  text=$(sed -e '/^[[:space:]]*#/d' -e "s|\${SNAP_DATA}|$SNAP_DATA|g; s|\${SNAP_COMMON}|$SNAP_COMMON|g; s|\${SNAP}|$SNAP|g" \
    "$SNAP_DATA/args/$1")
  # shellcheck disable=SC2034 # for the caller
  mapfile -t args < <(xargs -n 1 printf '%s\n' <<<"$text")
}
