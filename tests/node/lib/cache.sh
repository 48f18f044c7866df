# shellcheck shell=bash
# The cache of expensive parts. A part is what recipes/PART.sh builds; its folder is
# named after the recipe and everything that goes into it, so a change of either is
# another folder. Recipes say what goes in with two kinds of comment lines:
#   # uses: FILE-OR-FOLDER...    of tests/node
#   # needs: PART...             other parts
#   # varies: COMMAND            whose output is part of the name

recipe_lines() { sed -n "s/^# $2: //p" "$NODE_DIR/recipes/$1.sh"; }

part_key() {
  local part=$1 item
  {
    cat "$NODE_DIR/recipes/$part.sh"
    for item in $(recipe_lines "$part" uses); do
      (cd "$NODE_DIR" && find "$item" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
    done
    for item in $(recipe_lines "$part" needs); do part_key "$item"; done
    recipe_lines "$part" varies | while IFS= read -r item; do bash -c "$item"; done
  } | sha256sum | cut -c1-16
}

# The folder of a part, whether it is built or not.
part_path() { printf '%s/%s-%s\n' "$NODE_CACHE" "$1" "$(part_key "$1")"; }

# Builds a part unless it is there. Two callers at once build it once.
part_ensure() {
  local part=$1 path lock needed started
  path=$(part_path "$part")
  [[ -d $path ]] && return
  for needed in $(recipe_lines "$part" needs); do part_ensure "$needed"; done
  mkdir -p "$NODE_CACHE"
  exec {lock}>"$NODE_CACHE/.$part.lock"
  flock "$lock"
  if [[ ! -d $path ]]; then
    say "building $part ..."
    started=$(now_ms)
    part_build "$part" "$path" {lock}>&-
    say "built $part in $(since "$started")"
  fi
  exec {lock}>&-
}

part_build() {
  local part=$1 path=$2 aside=$2.new log=$NODE_CACHE/$1.log old
  rm -rf --one-file-system "$aside"
  mkdir -p "$aside"
  if ! bash "$NODE_DIR/recipes/$part.sh" "$aside" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -rf --one-file-system "$aside"
    die "building $part failed, all of it is in $log"
  fi
  mv -T "$aside" "$path"
  for old in "$NODE_CACHE/$part"-????????????????; do
    [[ $old == "$path" || ! -d $old ]] || rm -rf --one-file-system "$old"
  done
}
