#!/bin/sh
# Lays out the root of a minimal image: sh layout.sh <folder of a signed release> <root>
# In it lie the program, the libraries that it asks for, the authorities that TLS trusts, and one user. No shell, no package manager, no Node.
set -eu

main() {
  release=$1
  root=$2
  sh "$release/install.sh" --from "$release" --dir "$root/usr/local/bin"
  program=$root/usr/local/bin/ledger-enterprise-cli
  for library in $(ldd "$program" | grep -o '/[^ )]*'); do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
  done
  mkdir -p "$root/etc/ssl/certs" "$root/state" "$root/run/secrets" "$root/proc" "$root/dev"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  printf 'agent:x:65532:65532::/state:/nonexistent\n' >"$root/etc/passwd"
  printf 'agent:x:65532:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  chown 65532:65532 "$root/state"
  chmod 700 "$root/state"
}

[ "$#" -eq 2 ] || {
  echo 'layout.sh: name the folder of a signed release and the root.' >&2
  exit 1
}
main "$@"
