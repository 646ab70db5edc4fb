#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
#
# Inside a new Debian: NetBox in both layouts, as NetBox's documentation installs it. Arguments: what pip installs, NetBox
# first. The folder of this file holds pip's configuration and what freezes the rest.
set -eu
input=$(dirname "$0")
export PIP_CONFIG_FILE="$input/pip.conf"

# Its name is the one that systemd-nspawn gives it, and it fetches nothing by itself.
rm -f /etc/hostname
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer

useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin netbox

# NetBox needs Python 3.12 or newer. Debian 12 compiles the one of Debian 13, whose sources its sources.list names.
python=python3
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
  python=/opt/python/bin/python3
  (
    cd "$input"
    apt-get source --quiet --download-only --tar-only python3.13
    mkdir python
    tar --extract --no-same-owner --strip-components=1 --directory python --file python3.13_*.orig.tar.xz
    cd python
    ./configure --quiet --prefix=/opt/python --disable-test-modules
    make --silent --jobs="$(nproc)"
    make --silent install
  )
fi

# From the wheel: the program is venv/bin/netbox, the configuration conf/configuration.py.
"$python" -m venv /opt/netbox-wheel/venv
/opt/netbox-wheel/venv/bin/pip install --progress-bar off --constraint "$input/constraints.txt" "$@"
/opt/netbox-wheel/venv/bin/netbox setup --target /opt/netbox-wheel
mkdir -p /opt/netbox-wheel/media /opt/netbox-wheel/reports /opt/netbox-wheel/scripts /opt/netbox-wheel/static

# From the sources: the program is netbox/manage.py, the configuration netbox/netbox/configuration.py.
/opt/netbox-wheel/venv/bin/pip download --progress-bar off --no-deps --no-binary netbox --dest "$input" "$1"
mkdir /opt/netbox-checkout
tar --extract --no-same-owner --strip-components=1 --directory /opt/netbox-checkout --file "$input"/netbox-*.tar.gz
"$python" -m venv --without-pip /opt/netbox-checkout/venv
cp -al /opt/netbox-wheel/venv/lib /opt/netbox-checkout/venv/
/opt/netbox-checkout/venv/bin/python3 -m pip uninstall --yes netbox
/opt/netbox-checkout/venv/bin/python3 -m compileall -q /opt/netbox-checkout/netbox

for folder in media reports scripts; do
  chown -R netbox:netbox "/opt/netbox-wheel/$folder" "/opt/netbox-checkout/netbox/$folder"
done
ln -s netbox-wheel /opt/netbox
rm -r "$input"
