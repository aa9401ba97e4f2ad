#!/bin/sh
# Signs a release: sh scripts/sign.sh <folder> [<file with the private key, PEM>]
# Without a file the key is taken from RELEASE_SIGNING_KEY. It needs openssl and nothing else, so that no dependency's code runs where
# the key is. The signature is refused unless install.sh of the same folder believes it, and every file is what the list says.
set -eu

main() {
  folder=$1
  if [ "$#" -gt 1 ]; then RELEASE_SIGNING_KEY=$(cat -- "$2"); fi
  [ -n "${RELEASE_SIGNING_KEY:-}" ] || fail 'there is no key: name a file, or set RELEASE_SIGNING_KEY.'
  cd -- "$folder"
  sha256sum --check --strict --quiet SHA256SUMS || fail 'a file is not what SHA256SUMS says.'
  work=$(mktemp -d)
  trap 'rm -rf -- "$work"' EXIT
  printf '%s\n' "$RELEASE_SIGNING_KEY" | openssl pkey -pubout -out "$work/public.pem" || fail 'the key cannot be read.'
  # The key that was stamped into the installer, without the frame of PEM.
  grep -v '^-' "$work/public.pem" | tr -d '\n' >"$work/own"
  sed -n "/^RELEASE_KEY='/,/'\$/p" install.sh | sed "s/^RELEASE_KEY='//; s/'\$//" | tr -d '\n' >"$work/stamped"
  cmp -s "$work/own" "$work/stamped" || fail 'install.sh believes another key.'
  printf '%s\n' "$RELEASE_SIGNING_KEY" | openssl dgst -sha256 -sign /dev/stdin -out "$work/signature" SHA256SUMS
  openssl dgst -sha256 -verify "$work/public.pem" -signature "$work/signature" SHA256SUMS >/dev/null ||
    fail 'the signature is not right.'
  mv -- "$work/signature" SHA256SUMS.sig
  printf 'signed: %s/SHA256SUMS\n' "$folder"
}

fail() {
  printf 'sign.sh: %s\n' "$1" >&2
  exit 1
}

[ "$#" -ge 1 ] || fail 'name the folder of the release.'
main "$@"
