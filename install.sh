#!/bin/sh
# Installs the standalone executable of ledger-enterprise-cli. It needs openssl and, unless --from names a folder, curl or GNU wget.
# It verifies the release's signature and the file's checksum before it makes anything executable. All code is in functions that
# the last line calls: an incomplete download of this script does nothing.
set -eu

# names:begin (written by `npm run generate` from src/core/release/names.ts)
PROGRAM=ledger-enterprise-cli
VERSION=0.4.0
RELEASES_URL=https://github.com/ledger-enterprise-cli/ledger-enterprise-cli/releases
SUMS=SHA256SUMS
SIGNATURE=SHA256SUMS.sig
RELEASE_KEY=''
# names:end

usage() {
  cat <<END
Usage: sh install.sh [options]

  --version <version>   version to install (default: $VERSION, that of this script)
  --dir <folder>        where the program goes (default: ~/.local/bin)
  --from <place>        folder that holds a release's files, or https address of a mirror of
                        $RELEASES_URL
  --key <file>          public key (PEM) of the release's signer, instead of the maintainers'
  --downgrade           replace a newer version, too
  --help                show this

LEDGER_ENTERPRISE_RELEASES_URL names a mirror, too.
END
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Sets wanted, dir, from, key and downgrade.
read_options() {
  wanted=$VERSION
  dir=
  from=${LEDGER_ENTERPRISE_RELEASES_URL:-$RELEASES_URL}
  key=
  downgrade=no
  while [ "$#" -gt 0 ]; do
    case $1 in
      --help | -h)
        usage
        exit 0
        ;;
      --downgrade)
        downgrade=yes
        shift
        continue
        ;;
      --version | --dir | --from | --key) ;;
      *) fail "unknown option '$1'; --help shows all." 2 ;;
    esac
    if [ "$#" -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value." 2; fi
    case $1 in
      --version) wanted=${2#v} ;;
      --dir) dir=$2 ;;
      --from) from=${2%/} ;;
      --key) key=$2 ;;
    esac
    shift 2
  done
  if [ -z "$dir" ]; then
    [ -n "${HOME:-}" ] || fail 'there is no HOME; name a folder with --dir.' 2
    dir=$HOME/.local/bin
  fi
  # A folder with the name '~' is never intended.
  # shellcheck disable=SC2088
  case $dir in
    '~' | '~'/*) fail "the shell does not expand '~' in quotes; write \$HOME, or the whole path." 2 ;;
    /*) ;;
    *) dir=$PWD/${dir#./} ;;
  esac
  while [ "$dir" != / ] && [ "${dir%/}" != "$dir" ]; do dir=${dir%/}; done
  is_version "$wanted" || fail "'$wanted' is not a version such as $VERSION." 2
}

# Three numbers of at most nine digits, perhaps with a pre-release.
is_version() {
  numbers=${1%%-*}
  case $1 in *[!0-9A-Za-z.-]* | *-) return 1 ;; esac
  case $numbers in *[!0-9.]* | .* | *. | *..* | *.*.*.*) return 1 ;; *.*.*) ;; *) return 1 ;; esac
  for number in $(split "$numbers"); do
    case $number in 0?* | ??????????*) return 1 ;; esac
  done
}

split() {
  printf '%s' "$1" | tr . ' '
}

# Whether version $1 comes before $2. Of two pre-releases of one version neither does.
is_before() {
  # The numbers of both, side by side; they have been checked, so nothing in them is a pattern.
  # shellcheck disable=SC2046
  set -- "$1" "$2" $(split "${1%%-*}") $(split "${2%%-*}")
  if [ "$3" -ne "$6" ]; then [ "$3" -lt "$6" ] && return 0 || return 1; fi
  if [ "$4" -ne "$7" ]; then [ "$4" -lt "$7" ] && return 0 || return 1; fi
  if [ "$5" -ne "$8" ]; then [ "$5" -lt "$8" ] && return 0 || return 1; fi
  case $1 in *-*) ;; *) return 1 ;; esac
  case $2 in *-*) return 1 ;; esac
}

# Sets target: which of the release's executables this machine runs.
detect_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) processor=x64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) fail "there is no executable for the processor '$machine'; the npm package runs wherever Node.js 22 does." ;;
  esac
  case $system in
    Linux) detect_linux ;;
    Darwin) detect_darwin ;;
    MINGW* | MSYS* | CYGWIN* | Windows*)
      fail "on Windows take $PROGRAM-$wanted-windows-$processor.exe from $RELEASES_URL and verify it as the README says." ;;
    *) fail "there is no executable for the system '$system'; the npm package runs wherever Node.js 22 does." ;;
  esac
}

detect_linux() {
  if has getconf && [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
    fail 'this system is a 32-bit one on a 64-bit processor; there is no executable for it.'
  fi
  if [ "$processor" = x64 ] && grep -q '^flags' /proc/cpuinfo 2>/dev/null && ! grep -q '^flags.* sse4_2' /proc/cpuinfo; then
    fail 'this processor is too old: it has no SSE 4.2 (x86-64-v2).'
  fi
  target=linux-$processor
  # musl's ldd says so and fails; where there is none, its loader is alone.
  case $(ldd --version 2>&1 || :) in
    *musl*) target=$target-musl ;;
    *)
      for loader in /lib/ld-musl-*.so.1; do
        if [ -e "$loader" ] && [ ! -e /lib64/ld-linux-x86-64.so.2 ] && [ ! -e /lib/ld-linux-aarch64.so.1 ]; then
          target=linux-$processor-musl
        fi
      done
      ;;
  esac
}

detect_darwin() {
  # Rosetta tells a translated shell another processor than the real one.
  if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || echo 0)" = 1 ]; then processor=arm64; fi
  release=$(sw_vers -productVersion 2>/dev/null || echo 13)
  if [ "${release%%.*}" -lt 13 ]; then fail "macOS $release is too old; the executable needs macOS 13."; fi
  target=darwin-$processor
}

# A file in the program's place is replaced only when it is this program, and not a newer version.
check_place() {
  place=$dir/$PROGRAM
  if [ -L "$place" ]; then
    fail "$place is a link, perhaps of another installation; remove it, or name another folder with --dir."
  fi
  [ -e "$place" ] || return 0
  installed=
  if [ -f "$place" ] && [ -x "$place" ]; then installed=$(env -i "$place" --version 2>/dev/null </dev/null || :); fi
  is_version "$installed" || fail "$place is something else than this program, or does not run; move it away first."
  if [ "$downgrade" = no ] && is_before "$wanted" "$installed"; then
    fail "version $installed is installed, which is newer than $wanted; --downgrade installs $wanted all the same."
  fi
}

# Sets work: a folder beside the program's place, so that a rename puts the program there.
make_work_folder() {
  if [ ! -d "$dir" ]; then
    (umask 022 && mkdir -p -- "$dir") || fail "the folder $dir cannot be made; name another one with --dir."
  fi
  umask 077
  work=
  trap clean EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d "$dir/.$PROGRAM.XXXXXXXXXX") ||
    fail "this user may not write to $dir; name another folder with --dir, or ask its owner."
}

# Called by the trap.
# shellcheck disable=SC2317
clean() {
  if [ -n "$work" ]; then rm -rf -- "$work"; fi
}

# Puts the release's file $1 into the work folder.
fetch() {
  case $from in
    https://*) download "$from/download/v$wanted/$1" "$work/$1" ;;
    *://*) fail "'$from' is not an https address." 2 ;;
    *)
      [ -f "$from/$1" ] || fail "there is no $1 in $from."
      cp -- "$from/$1" "$work/$1" || fail "$from/$1 cannot be copied to $dir."
      ;;
  esac
}

# Puts the file at address $1 into the file $2. What is downloaded goes through a pipe: a confined
# curl (snap) may not write below a folder whose name begins with a dot.
download() {
  if ! has curl && ! has_wget; then
    fail 'neither curl nor GNU wget is here; install one, or name a folder with --from.'
  fi
  rm -f -- "$work/complete"
  { request "$1" && : >"$work/complete"; } | cat >"$2" || fail "$2 cannot be written."
  [ -e "$work/complete" ] || fail "$1 could not be downloaded."
}

# Writes the file at address $1 to standard output. A ~/.curlrc does not count; wget takes a private authority only from ~/.wgetrc.
request() {
  if has curl; then
    curl -q --proto '=https' --tlsv1.2 -fsSL --connect-timeout 30 --speed-limit 1 --speed-time 60 -- "$1"
  else
    # --https-only does not keep wget from following a redirect to http; a proxy for http that does not exist does.
    http_proxy=http://127.0.0.1:9 wget --https-only --secure-protocol=TLSv1_2 -q --timeout=60 --tries=2 -O - -- "$1"
  fi
}

# GNU wget; other versions cannot enforce https.
has_wget() {
  has wget && wget --help 2>&1 | grep -q -- '--https-only'
}

# Sets checksum from the signed list. The signature is checked before the list is read.
read_signed_list() {
  fetch "$SUMS"
  fetch "$SIGNATURE"
  if [ -n "$key" ]; then
    cp -- "$key" "$work/key" 2>/dev/null || fail "the key $key cannot be read."
  else
    printf '%s\n%s\n%s\n' '-----BEGIN PUBLIC KEY-----' "$RELEASE_KEY" '-----END PUBLIC KEY-----' >"$work/key"
  fi
  if ! openssl dgst -sha256 -verify "$work/key" -signature "$work/$SIGNATURE" "$work/$SUMS" >/dev/null 2>&1; then
    # A signature is called wrong only by an openssl that reads the key and computes a checksum.
    if ! openssl pkey -pubin -in "$work/key" -noout 2>"$work/complaint" ||
      ! openssl dgst -sha256 "$work/$SUMS" >/dev/null 2>"$work/complaint"; then
      cat "$work/complaint" >&2
      fail 'openssl could not check the signature, so nothing is installed. Is the key a public key in PEM, and OPENSSL_CONF right?'
    fi
    fail "the release's list of checksums is not signed with the release key. Use nothing from this source."
  fi
  checksum=
  while read -r sum name; do
    [ "${name#\*}" = "$asset" ] || continue
    [ -z "$checksum" ] || fail "the release's list names $asset twice."
    checksum=$sum
  done <"$work/$SUMS"
  [ "${#checksum}" -eq 64 ] || fail "the release holds no executable of version $wanted for $target."
}

verify_asset() {
  found=$(openssl dgst -sha256 -r "$work/$asset") || fail 'openssl cannot compute a checksum.'
  [ "${found%% *}" = "$checksum" ] || fail "$asset is not what the release's signed list names: it is incomplete or was altered."
}

# The program is tried before it takes the place, with nothing of this environment.
put_in_place() {
  chmod 755 "$work/$asset"
  answer=$(env -i "$work/$asset" --version 2>"$work/complaint" </dev/null) || answer=
  if [ "$answer" != "$wanted" ]; then
    cat "$work/complaint" >&2
    case $target in
      *-musl) fail 'the program does not run on this machine. It needs libstdc++: apk add libstdc++.' ;;
      *) fail 'the program does not run on this machine.' ;;
    esac
  fi
  mv -f -- "$work/$asset" "$place"
}

main() {
  read_options "$@"
  if [ -z "$key$RELEASE_KEY" ]; then fail "this script has no release key; name the signer's public key with --key." 2; fi
  has openssl || fail 'openssl is missing, and the installer needs it to verify the release; install openssl.'
  detect_target
  asset=$PROGRAM-$wanted-$target
  check_place
  make_work_folder
  read_signed_list
  fetch "$asset"
  verify_asset
  put_in_place
  printf '%s %s (%s) is installed: %s\n' "$PROGRAM" "$wanted" "$target" "$place"
  # shellcheck disable=SC2016
  is_in_path || printf 'That folder is not in PATH. For this shell: export PATH="%s:$PATH"\n' "$dir"
}

# Whether a folder of PATH is dir, however either is written.
is_in_path() {
  wanted_folder=$(cd -- "$dir" && pwd -P) || return 1
  left=${PATH:-}:
  while [ -n "$left" ]; do
    entry=${left%%:*}
    left=${left#*:}
    case $entry in /*) ;; *) continue ;; esac
    if [ "$(cd -- "$entry" 2>/dev/null && pwd -P)" = "$wanted_folder" ]; then return 0; fi
  done
  return 1
}

{ main "$@"; exit; }
