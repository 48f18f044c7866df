# shellcheck shell=bash
# What every other file here uses: messages, deadlines, where the cache is.

NODE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
NODE_CACHE=${KAAPANA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kaapana-agent-tests}
export NODE_DIR NODE_CACHE

say() { printf 'node: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# Milliseconds of a clock that nobody can step.
now_ms() {
  local up rest
  read -r up rest </proc/uptime
  printf '%s\n' "$((10#${up/./} * 10))"
}

# since START: the seconds passed since a now_ms, with one decimal.
since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

# until_ok SECONDS COMMAND...: waits for a state for which there is no event.
until_ok() {
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < end)) || return 1
    sleep 0.05
  done
}

need_root() {
  ((EUID == 0)) || die "this needs root"
}
