#!/usr/bin/env bash
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
set -eux

config=../../integration_config.yml
inventory=$(sed -n 's/^worker_host_inventory: "\(.*\)"$/\1/p' "$config")
ansible-playbook -i "$inventory" -e "@$config" test.yml "$@"
