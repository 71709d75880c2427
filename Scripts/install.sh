#!/usr/bin/env bash
# Installs the program with its manual pages and its completions for bash, zsh and fish, or takes all of it away again.
#
#     PREFIX=/usr/local DESTDIR= Scripts/install.sh .build/release/diptych
#     PREFIX=/usr/local DESTDIR= Scripts/install.sh --uninstall
set -euo pipefail
root=${DESTDIR:-}${PREFIX:-/usr/local}
program=$root/bin/diptych
pages=$root/share/man/man1
bash=$root/share/bash-completion/completions/diptych
zsh=$root/share/zsh/site-functions/_diptych
fish=$root/share/fish/vendor_completions.d/diptych.fish

if [ "${1:-}" = --uninstall ]; then
  rm -f "$program" "$pages/diptych.1" "$pages"/diptych-*.1 "$bash" "$zsh" "$fish"
  exit
fi
built=${1:?the built program, or --uninstall}
mkdir -p "$root/bin" "$pages" "$(dirname "$bash")" "$(dirname "$zsh")" "$(dirname "$fish")"
# A program that is running keeps its file: the new one takes its name.
install -m 755 "$built" "$program.new"
mv -f "$program.new" "$program"
# Pages of commands that are no more.
rm -f "$pages"/diptych-*.1
"$built" manual -o "$pages"
"$built" --generate-completion-script bash > "$bash"
"$built" --generate-completion-script zsh > "$zsh"
"$built" --generate-completion-script fish > "$fish"
echo "$program, its manual (man diptych) and its completions"
