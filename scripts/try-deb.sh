#!/bin/sh
# Tries the Debian package in a new Debian: sh scripts/try-deb.sh <file.deb> [<folder with a Debian root>]
# Installs it, follows docs/guard.md with its own commands, removes and purges it. As root, with debootstrap.
# The second argument is copied in place of a new root; it needs the packages of `debootstrap --include` below.
# No service manager runs there. In step 9 the program is started as the unit would start it, with a socket of its own.
set -eu

NAME=ledger-enterprise-cli
USER_NAME=ledger-enterprise-guard
SOCKET=/run/$USER_NAME/payments.sock

# Prints the code of a step of docs/guard.md, without its indent.
step() {
  awk -v this="$1" '
    index($0, this ". ") == 1 { on = 1; next }
    /^[^ ]/ { on = 0 }
    on && /^ *```/ { code = !code; next }
    on && code { print substr($0, length(this) + 3) }' docs/guard.md
}

inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 EDITOR='cp /root/edited' "$@"
}

fail() {
  printf 'try-deb: %s\n' "$1" >&2
  exit 1
}

# Runs a step's code unchanged, and shows it.
follow() {
  printf '\n# step %s\n' "$1"
  step "$1" | grep . || fail "step $1 has no code"
  inside sh -ec "$(step "$1")"
}

# A value of the sandbox, which offers an operator that is registered already.
setting() {
  sed -n "s/^export LEDGER_ENTERPRISE_$1='\(.*\)'\$/\1/p" "$root/root/sandbox.env"
}

main() {
  root=$(mktemp -d)
  trap 'umount "$root/proc" 2>/dev/null || true; rm -rf --one-file-system -- "$root"' EXIT
  if [ $# -gt 1 ]; then
    cp -a -- "$2/." "$root"
  else
    debootstrap --variant=minbase --include=sudo,ca-certificates trixie "$root"
  fi
  chmod 0755 "$root"
  mount -t proc proc "$root/proc"
  printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$root/etc/hosts"
  cp -- "$1" "$root/root/${NAME}_0_amd64.deb"

  printf '\n# step 1\n'
  inside apt-get update -qq
  inside apt-get install -qq -y --no-install-recommends "/root/${NAME}_0_amd64.deb"
  inside id "$USER_NAME"
  [ "$(inside sh -c "ls -d /etc/systemd/system/*/$USER_NAME* 2>/dev/null")" = "" ] || fail "a unit is enabled"

  inside useradd --create-home agent
  inside $NAME sandbox start --envFile /root/sandbox.env >"$root/root/sandbox.json" &
  while ! [ -s "$root/root/sandbox.json" ]; do sleep 1; done
  walk

  printf '\n# remove, then purge\n'
  inside dpkg --remove $NAME
  inside sh -c "! command -v $NAME" || fail "the program is still there"
  inside dpkg --purge $NAME
  printf 'left behind:\n'
  inside find / -xdev -path /root -prune -o -path /proc -prune -o -name '*ledger-enterprise*' -print
  printf '\ntry-deb: done\n'
}

walk() {
  follow 2
  # The new key is registered nowhere: the sandbox's own takes its place.
  setting API_PRIVATE_KEY >"$root/etc/$NAME/guard/payments.private-key"
  step 4 | sed -e "s|https://re.vault.ledger.com/v1/rest|$(setting API_URL)|" -e "s/my-workspace/$(setting WORKSPACE)/" \
    -e "s/…/$(setting API_KEY_ID)/" -e "s/1000/$(inside id -u agent)/" >"$root/etc/$NAME/guard/payments.env"
  cat -- "$root/etc/$NAME/guard/payments.env"
  setting API_KEY_SECRET | follow 5
  cp -- packaging/deb/policy.example.json "$root/root/edited"
  follow 6
  follow 7
  follow 8

  printf '\n# step 9, without a service manager\n'
  inside install -d -m 2750 -o $USER_NAME -g $USER_NAME /run/$USER_NAME
  serve >"$root/root/serve.json" &
  while ! [ -s "$root/root/serve.json" ]; do sleep 1; done
  cat -- "$root/root/serve.json"

  printf '\n# step 10\n'
  step 10 | tee "$root/root/status.sh"
  inside runuser -u agent -- sh -ec "$(step 10)" | tee "$root/root/status.json"
  grep -q '"level":"enforced"' "$root/root/status.json" || fail "the level is not enforced"
}

# The unit's ExecStart with its settings.
serve() {
  unit=$root/lib/systemd/system/$USER_NAME@.service
  settings=$(sed -n 's/^Environment=//p' "$unit" |
    sed -e 's/%i/payments/' -e "s|%d/|/etc/$NAME/guard/payments.|")
  program=$(sed -n 's/^ExecStart=//p' "$unit")
  inside sh -ec "set -a; . /etc/$NAME/guard/payments.env; $settings
    exec setpriv --reuid $USER_NAME --regid $USER_NAME --clear-groups $program --socket $SOCKET"
}

cd -- "$(dirname "$0")/.."
case ${1-} in
--inside)
  shift
  main "$@"
  ;;
?*)
  # What runs and what is mounted ends with this.
  deb=$(realpath -- "$1")
  shift
  exec unshare --mount --pid --fork --kill-child sh scripts/try-deb.sh --inside "$deb" "$@"
  ;;
*)
  fail "give the package's file"
  ;;
esac
