#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
#
# Boots a host and stays while it runs; in a mount namespace of its own, so that each mount ends with it.
set -eu
folder=$1 # of the host
base=$2   # its root, below what the host writes
stack=$3  # folder of the stack
name=$4   # of the machine
port=$5   # of its ssh
shift 5   # what is left: its control groups

for group; do
  mkdir -p "$group"
  echo $$ >"$group/cgroup.procs"
done

root=$folder/root
mkdir -p "$root" "$folder/upper" "$folder/work"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$root"
# Where /run is a disk, systemd-nspawn would leave folders behind in it.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

printf 'ListenAddress 127.0.0.1\nPort %s\n' "$port" >"$root/etc/ssh/sshd_config.d/test.conf"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$root/etc/hosts"
mkdir -p "$root/root/.ssh"
cp "$folder/key.pub" "$root/root/.ssh/authorized_keys"

for configuration in netbox-wheel/conf/configuration.py netbox-checkout/netbox/netbox/configuration.py; do
  (umask 027 && sed "s|'$stack/run'|'/run/postgresql'|" "$stack/netbox/conf/configuration.py" >"$root/opt/$configuration")
  chmod 0640 "$root/opt/$configuration"
  chroot "$root" chown root:netbox "/opt/$configuration"
done

# Without version 2 of the control groups today's systemd does not start.
export UNIFIED_CGROUP_HIERARCHY=1
code=133
# It ends with this code when the host wants to be booted again.
while [ "$code" = 133 ]; do
  code=0
  systemd-nspawn --quiet --boot --directory "$root" --machine "$name" --register=no --keep-unit --link-journal=no \
    --console=read-only --resolv-conf=replace-host --bind-ro "$stack/run:/run/postgresql" || code=$?
done
exit "$code"
