#!/bin/sh
# npm run emulate: runs the executables of other processors and C libraries that `npm run build -- --all` made, as far as a Debian x64 machine
# can, and compares what they print with the host's. As root, with these packages:
#   qemu-user-static libc6-arm64-cross   linux-arm64, and linux-x64 on a processor without AVX
#   musl-tools libstdc++-12-pic          linux-x64-musl, in a root that holds musl and Debian's libstdc++ linked with it
# Not run here: linux-arm64-musl, macOS, Windows. Their format is checked when they are built (scripts/formats.ts).
set -eu

NAME=ledger-enterprise-cli
GCC=/usr/lib/gcc/x86_64-linux-gnu/12

main() {
  cd -- "$(dirname "$0")/.."
  bin=$PWD/dist/bin
  work=$(mktemp -d)
  trap 'rm -rf -- "$work"' EXIT
  failures=0
  mkdir "$work/home"
  cat >"$work/program" <<'END'
set -e
for argv in "--version" "--help" "schema" "schema errors" "keys public" "requests sign --challenge e30 --expectPayloadSha256 $SHA" "accounts list"; do
  code=0
  "$@" $argv 2>"$ERRORS" || code=$?
  echo "exit $code"
done
END
  LEDGER_ENTERPRISE_API_PRIVATE_KEY=$(openssl ecparam -name prime256v1 -genkey -noout | od -An -v -tx1 | tr -d ' \n')
  SHA=$(printf '{}' | sha256sum | cut -d ' ' -f 1)
  HOME=$work/home
  ERRORS=$work/errors
  export LEDGER_ENTERPRISE_API_PRIVATE_KEY SHA HOME ERRORS
  sh "$work/program" "$bin/$NAME-linux-x64" >"$work/expected"
  grep -q '"signature"' "$work/expected" || fail 'the host itself signs nothing, so nothing can be compared.'
  compare 'linux-x64 without AVX' qemu-x86_64-static -cpu Nehalem "$bin/$NAME-linux-x64"
  compare linux-arm64 qemu-aarch64-static -L /usr/aarch64-linux-gnu "$bin/$NAME-linux-arm64"
  make_musl_root "$bin/$NAME-linux-x64-musl"
  # shellcheck disable=SC2016
  compare linux-x64-musl unshare -m sh -ec 'mount -t proc proc "$0/proc"; exec chroot "$0" /program "$@"' "$work/root"
  guard linux-x64-musl env LD_LIBRARY_PATH="$work/root/lib" "$bin/$NAME-linux-x64-musl"
  guard linux-arm64 qemu-aarch64-static -L /usr/aarch64-linux-gnu "$bin/$NAME-linux-arm64"
  exit "$failures"
}

# Serves as a guard with this command, and has a program of another user ask it.
guard() {
  what=$1
  shift
  chmod -R a+rX "$work"
  if timeout 300 node scripts/bun.mjs scripts/emulate-guard.ts "$@" >"$work/found" 2>&1; then
    printf 'serves as a guard: %s\n' "$what"
  else
    printf 'FAILS as a guard: %s\n' "$what"
    head -n 10 "$work/found"
    failures=1
  fi
}

compare() {
  what=$1
  shift
  timeout 120 sh "$work/program" "$@" >"$work/found" 2>"$work/complaint" || :
  if cmp -s "$work/expected" "$work/found"; then
    printf 'runs as the host'\''s does: %s\n' "$what"
  else
    printf 'DIFFERS: %s\n' "$what"
    diff "$work/expected" "$work/found" | cut -c 1-200 | head -n 10
    head -n 5 "$work/complaint" "$ERRORS"
    failures=1
  fi
}

# Debian has no libstdc++ for musl. Its archive holds position-independent code that asks of the C library hardly more than musl has; what is
# missing is added. Only what the program asks for is taken.
make_musl_root() {
  root=$work/root
  mkdir -p "$root/lib" "$root/proc" "$root/dev" "$root$work/home"
  cp -- "$1" "$root/program"
  cp -L /lib/ld-musl-x86_64.so.1 "$root/lib/"
  ln -s ld-musl-x86_64.so.1 "$root/lib/libc.musl-x86_64.so.1"
  cat >"$work/missing.c" <<'END'
#include <stdint.h>
#include <sys/random.h>
char __libc_single_threaded = 0;
int _dl_find_object(void *address, void *result) { return -1; }
uint32_t arc4random(void) { uint32_t value; return getrandom(&value, sizeof value, 0) < 0 ? 0 : value; }
END
  undefined=$(readelf --dyn-syms -W "$1" | awk '$7 == "UND" { print $8 }')
  copied=$(readelf -rW "$1" | awk '/R_X86_64_COPY/ { print $5 }')
  asked=$(printf '%s\n' "$undefined" "$copied" | sed 's/@.*//' | grep -E '^(_Z|__cxa|__gxx|__dynamic_cast)' |
    grep -vE '^__cxa_(finalize|thread_atexit_impl)$' | sed 's/^/-Wl,-u,/')
  # shellcheck disable=SC2086
  musl-gcc -fPIC -shared -Wl,-soname,libstdc++.so.6 -o "$root/lib/libstdc++.so.6" "$work/missing.c" $asked \
    "$GCC/libstdc++_pic.a" "$GCC/libgcc_eh.a" "$GCC/libgcc.a"
}

fail() {
  printf 'emulate.sh: %s\n' "$1" >&2
  exit 1
}

main "$@"
