# shellcheck shell=bash
# Debian packages on this machine, and Debian's mirrors as this machine knows them.

# host_packages PACKAGE...: installs those that are missing.
host_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # A source of the machine that does not answer is not our business, a missing package is.
  apt-get update -q >&2 || true
  apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

# apt_sources DEB|DEB-SRC FOLDER: the machine's sources for Debian's own suites, copied
# into FOLDER with the wanted type. The machine's own configuration stays as it is.
apt_sources() {
  local type=$1 folder=$2 file suite
  suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
  mkdir -p "$folder"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $file ]] || continue
    sed -nE "s/^deb(-src)?([[:space:]]+(\[[^]]*\][[:space:]]+)?[^[:space:]]+[[:space:]]+$suite(-updates|-security)?[[:space:]]+main)\b.*/$type\2/p" "$file" |
      sort -u >"$folder/$(basename "$file" .list).list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    awk -v suite="$suite" -v type="$type" '
      BEGIN { RS = ""; ORS = "\n\n"; FS = "\n" }
      {
        text = ""; ours = main = 0
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^#/) continue
          if ($i ~ /^Types:/) $i = "Types: " type
          if ($i ~ /^Components:.* main( |$)/) { $i = "Components: main"; main = 1 }
          if ($i ~ "^Suites:.*[ ]" suite "(-updates|-security)?([ ]|$)") ours = 1
          text = text $i "\n"
        }
        if (ours && main) print text
      }' "$file" >"$folder/$(basename "$file")"
  done
  find "$folder" -type f -empty -delete
  [[ -n $(ls "$folder") ]] || die "no source of $suite in this machine's apt configuration"
}

# apt_options SOURCES STATE: the options that make apt-get use SOURCES (apt_sources made
# it) with lists of its own.
apt_options() {
  mkdir -p "$2/partial"
  printf '%s\n' -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$1" -o "Dir::State::Lists=$2" \
    -o APT::Sandbox::User=root
}
