#!/usr/bin/env bash
# Checks the models of this directory: each as it is must hold in every interleaving, and each mutant it names in its
# line MUTANTS must be caught, or the model would prove nothing.
#   run_models.sh [MODEL...]     e.g. run_models.sh idle hold; all without arguments
# Exit status: 0 all as expected, 1 not, 2 bad arguments, 77 no spin or no C compiler here (CTest counts it as skipped).
set -u

here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-gcc}
limit_s=300
limit_mib=2000

for tool in spin "$cc"; do
  if ! command -v "$tool" >/dev/null; then
    echo "skipped: $tool is not installed (Debian packages: spin, gcc)"
    exit 77
  fi
done

models=("$@")
if [ ${#models[@]} -eq 0 ]; then
  for file in "$here"/*.pml; do
    name=$(basename "$file" .pml)
    [ "$name" = store_buffer ] || models+=("$name")
  done
fi
for model in "${models[@]}"; do
  if [ ! -f "$here/$model.pml" ]; then
    echo "run_models.sh: no model '$model' in $here" >&2
    exit 2
  fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# check MODEL [MUTANT]: sets verdict to holds, caught or a word for what went wrong, and details to the search's size.
check() {
  local model=$1 mutant=${2:-} dir="$work/$1-${2:-real}" status
  mkdir "$dir" && cd "$dir" || exit 1
  details=
  verdict="does not compile"
  spin -a ${mutant:+"-D$mutant"} "$here/$model.pml" >spin.log 2>&1 || return
  # -w: the code that spin writes is not ours to mend.
  "$cc" -w -O2 -DSAFETY "-DMEMLIM=$limit_mib" -o pan pan.c >>spin.log 2>&1 || return
  timeout "$limit_s" ./pan -m100000 >pan.log 2>&1
  status=$?
  details="$(awk '/states, stored/ {print $1; exit}' pan.log) states"
  if [ $status -eq 124 ]; then
    verdict="took over $limit_s s"
  elif grep -q 'errors: [1-9]' pan.log; then
    verdict=caught
    details=$(grep -m1 '^pan:1:' pan.log | sed -e 's/^pan:1: //' -e 's/ (at depth.*//' -e 's/assertion violated.*/assertion/')
  elif grep -qE 'max search depth too small|out of memory|reached -DMEMLIM|Search not completed' pan.log; then
    verdict="search not completed"
  elif grep -q 'errors: 0' pan.log; then
    verdict=holds
  else
    verdict="no verdict (status $status)"
  fi
}

report() {  # report NAME EXPECTED
  local mark=ok
  if [ "$verdict" != "$2" ]; then
    mark=FAILED
    failed=1
  fi
  printf '%-6s %-40s %s%s\n' "$mark" "$1" "$verdict" "${details:+ ($details)}"
  if [ "$mark" = FAILED ]; then
    tail -n 30 "$PWD"/*.log | sed 's/^/    /'
  fi
}

for model in "${models[@]}"; do
  check "$model"
  report "$model" holds
  mutants=$(sed -n 's/^ \* MUTANTS: *//p' "$here/$model.pml")
  if [ -z "$mutants" ]; then
    echo "FAILED $model: names no mutants"
    failed=1
  fi
  for mutant in $mutants; do
    check "$model" "$mutant"
    report "$model -D$mutant" caught
  done
done
exit $failed
