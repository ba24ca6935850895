#!/bin/sh
# Install those of the named Debian packages that are missing. The tests run database servers of their own, so none
# of the packages' services runs afterwards, now or at the next boot, unless it did before.
set -eu

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/podwright-tests.conf

main() {
  missing=$(for package in "$@"; do installed "$package" || echo "$package"; done)
  [ -n "$missing" ] || exit 0
  echo "Installing Debian packages:" $missing

  trap undo EXIT
  trap 'exit 1' HUP INT TERM
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends $missing
  case " $(echo $missing) " in *" mariadb-server "*) disable_mariadb ;; esac
}

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Packages ask this program before they start a service; 101 forbids it (invoke-rc.d(8), deb-systemd-invoke(1p)).
# A machine that has such a policy keeps it. PostgreSQL's package would also make a cluster, which starts at boot
# (pg_createcluster(1), create_main_cluster).
forbid_services() {
  if [ ! -e "$policy" ]; then
    undo_policy=yes
    printf '#!/bin/sh\n# Made by podwright'"'"'s tests while they install packages.\nexit 101\n' > "$policy"
    chmod 755 "$policy"
  fi
  mkdir -p "${clusters%/*}"
  echo 'create_main_cluster = false' > "$clusters"
}

# The package has just enabled both, and a connection to the socket starts the service. PostgreSQL's service starts
# nothing as long as no cluster was made.
disable_mariadb() {
  update-rc.d mariadb disable
  if command -v systemctl > /dev/null; then systemctl disable mariadb.socket; fi
}

undo() {
  [ -z "${undo_policy:-}" ] || rm -f "$policy"
  rm -f "$clusters"
  rmdir --ignore-fail-on-non-empty "${clusters%/*}"
}

main "$@"
