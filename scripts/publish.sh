#!/bin/sh
# Publishes a signed release: sh scripts/publish.sh <draft|npm|release> <folder> <tag>
# It verifies the folder with its own install.sh, the list and the version before each step. npm gets its right to publish, and the proof of
# origin, from the workflow's identity (trusted publishing, npm 11.5.1 or newer): there is no token. A step may be repeated.
set -eu

main() {
  step=$1
  folder=$2
  tag=$3
  version=${tag#v}
  home=$(mktemp -d)
  trap 'rm -rf -- "$home"' EXIT
  case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
  check
  case $step in
    draft) draft ;;
    npm) publish_package ;;
    release) gh release edit "$tag" --draft=false --latest ;;
    *) fail "there is no step '$step'." ;;
  esac
}

draft() {
  if [ "$(gh release view "$tag" --json isDraft --jq .isDraft 2>/dev/null || :)" = true ]; then
    gh release delete "$tag" --yes
  fi
  gh release create "$tag" --draft --verify-tag --title "$tag" --notes-file "$home/notes" -- "$folder"/*
}

publish_package() {
  tarball=$folder/ledger-enterprise-cli-$version.tgz
  own=sha512-$(openssl dgst -sha512 -binary "$tarball" | openssl base64 -A)
  if [ "$(npm view "ledger-enterprise-cli@$version" dist.integrity 2>/dev/null || :)" = "$own" ]; then return; fi
  npm publish "$tarball" --ignore-scripts --access public --provenance
}

# A version with a hyphen is a pre-release; it must not become what both sources call the newest.
check() {
  case $tag in *-*) fail 'pre-releases are not published by this script.' ;; v*.*.*) ;; *) fail "'$tag' is not the tag of a version." ;; esac
  (cd -- "$folder" && sha256sum --check --strict --quiet SHA256SUMS) || fail 'a file is not what SHA256SUMS says.'
  listed=$(wc -l <"$folder/SHA256SUMS")
  found=$(find "$folder" -type f | wc -l)
  [ "$found" -eq "$((listed + 2))" ] || fail 'the folder holds files that are not in the list.'
  sh "$folder/install.sh" --version "$version" --from "$folder" --dir "$home/bin" >&2 || fail 'install.sh does not install this release.'
  printf 'How to verify a download: docs/verifying.md in the repository.\n' >"$home/notes"
}

fail() {
  printf 'publish.sh: %s\n' "$1" >&2
  exit 1
}

[ "$#" -eq 3 ] || fail 'name the step, the folder of the release and the tag.'
main "$@"
