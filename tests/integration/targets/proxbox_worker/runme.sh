#!/usr/bin/env bash
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Test the role on a real host with systemd, as a user runs it. The recap of each playbook shows how many tasks changed something.
set -euo pipefail

facts=../../integration_config.yml
inventory=$(sed -n 's/^worker_host_inventory: "\(.*\)"$/\1/p' "$facts")
oldest=$(sed -n 's/^worker_oldest_ansible: "\(.*\)"$/\1/p' "$facts")
token=$(sed -n 's/^netbox_superuser_token: "\(.*\)"$/\1/p' "$facts")
work=$(mktemp -d)
log=$work/log
secret=$work/secret.yml
printf 'deploy_secret: a-secret\n' >"$secret"
export ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1

say() { printf '\n=== %s\n' "$*"; }

play() { ansible-playbook -i "$inventory" -e "@$facts" "$@" 2>&1 | tee "$log"; }

changed() { grep -Eq '^worker .*changed=[1-9]' "$log" || { echo "FAILED: nothing has changed" >&2; exit 1; }; }

predicted() { # Check mode and the real run report the same number of changes.
  play --check "$@"
  local prediction
  prediction=$(changes)
  play "$@"
  [ "$prediction" = "$(changes)" ] || { echo "FAILED: check mode predicts $prediction changes, not $(changes)" >&2; exit 1; }
}

changes() { sed -n 's/^worker .*changed=\([0-9]*\) .*/\1/p' "$log"; }

unchanged() { grep -Eq '^worker .*changed=0 ' "$log" || { echo "FAILED: something has changed" >&2; exit 1; }; }

shows() { grep -Eq -- "$1" "$log" || { echo "FAILED: the output does not show: $1" >&2; exit 1; }; }

hides() { if grep -Fq -- "$1" "$log"; then echo "FAILED: the output shows: $1" >&2; exit 1; fi; }

asked_once() { # The role did not wait for a worker to register.
  [ "$(grep -A1 ': Ask NetBox\] ' "$log" | grep -c '^ok:')" = 1 ] || { echo "FAILED: NetBox was not asked once" >&2; exit 1; }
}

trap 'play reset.yml; rm -r "$work"' EXIT

say "Remove what an earlier run has deployed"
play reset.yml

say "The role refuses invalid variables and hosts before it changes anything"
play refused.yml -i refused_inventory.yml
play nothing.yml

say "Check mode on a host without a worker shows the whole diff, and writes nothing"
play deploy.yml --check --diff -e "@$secret"
changed
shows '^\+ExecStart=/opt/netbox/venv/bin/netbox rqworker high default$'
shows 'Enable and start the worker, in check mode'
play nothing.yml

say "Deploy over a unit made by hand, with a secret, at the highest verbosity"
play by_hand.yml
play deploy.yml --diff -vvvv -e "@$secret" >"$work/loud" || { tail -n 50 "$work/loud"; exit 1; }
changed
hides a-secret
hides "$token"

say "Deploy again, and in check mode"
SECONDS=0
play deploy.yml --diff -e "@$secret"
unchanged
echo "It has taken $SECONDS s."
asked_once
play deploy.yml --check --diff -e "@$secret"
unchanged

say "The oldest ansible-core writes the same files"
# PYTHONPATH has the ansible-core of ansible-test.
env -u PYTHONPATH "$oldest" -i "$inventory" -e "@$facts" -e "@$secret" deploy.yml 2>&1 | tee "$log"
unchanged

say "The role accepts the token of a user who is not a superuser, and refuses a wrong token"
play deploy.yml -e "@$secret" --tags proxbox_worker_verify -e '{"proxbox_worker_netbox_token": "{{ netbox_token }}"}'
shows 'The role could not ask .* for the worker'
if play deploy.yml -e "@$secret" --tags proxbox_worker_verify -e proxbox_worker_netbox_token=nbt_wrong.token; then exit 1; fi

say "NETBOX_VALIDATE_CERTS is the default of proxbox_worker_validate_certs"
if NETBOX_VALIDATE_CERTS=perhaps play deploy.yml -e "@$secret" --tags proxbox_worker_verify; then exit 1; fi
shows "proxbox_worker_validate_certs.*perhaps"

say "The worker is up, hardened, and executes a sync. It starts again after a kill"
play running.yml
play deploy.yml --tags proxbox_worker_verify
unchanged

say "The worker starts with the host"
play reboot.yml
play deploy.yml --tags proxbox_worker_verify

say "The worker starts after the servers that it needs, if they are on this host"
play neighbours.yml

say "The worker does not start a web server that was stopped"
play web_server.yml

say "The role fails while the database is stopped"
play database.yml

say "The playbook worker runs a sync on the worker"
play proxbox.proxbox.worker -e proxbox_worker_hosts=worker -e '{"proxbox_worker_netbox_url": "{{ netbox_url }}"}' \
  -e '{"proxbox_worker_netbox_token": "{{ netbox_superuser_token }}"}' -e '{"proxbox_worker_environment": {"DEPLOY": "a-secret"}}'
shows 'was executed by the worker on worker\.'

say "A restart waits for the end of a running sync by default"
play restart.yml

say "The role fails if the worker ends again and again. It does not change drop-ins"
play crash.yml

say "The role names a stopped worker at once, without lines of an old journal"
play stopped.yml
if play deploy.yml --tags proxbox_worker_verify; then exit 1; fi
asked_once
shows 'is not up: it is stopped'
hides 'nothing works today'
[ "$(grep '^fatal' "$log" | wc -c)" -lt 500 ] || { echo "FAILED: the failure is too long to read" >&2; exit 1; }
predicted deploy.yml
changed

say "The role names and restarts a worker that RQ has lost"
play redis_lost.yml
if play deploy.yml --tags proxbox_worker_verify; then exit 1; fi
shows 'RQ does not know it.* Redis has lost its data'
predicted deploy.yml
changed
play deploy.yml
unchanged

say "Change from one worker to three, and back"
predicted deploy.yml -e '{"proxbox_worker_instances": "3"}' # A survey gives the number as text.
changed
hides RETRYING
play scale.yml -e expected=3
play deploy.yml -e proxbox_worker_instances=3
unchanged
play deploy.yml --check -e proxbox_worker_instances=1
changed
play scale.yml -e expected=3
predicted deploy.yml -e proxbox_worker_instances=1
changed
hides RETRYING
play scale.yml -e expected=1
play deploy.yml
unchanged

say "NetBox is a checkout of its repository"
play checkout.yml
predicted deploy.yml --diff
changed
shows '^\+ExecStart=/opt/netbox/venv/bin/python3 /opt/netbox/netbox/manage.py rqworker high default$'
play deploy.yml
unchanged
play sync.yml

say "Remove the worker in check mode, then without it, then again"
predicted deploy.yml -e "@$secret" # The role also writes a file with variables.
changed
hides RETRYING
play deploy.yml --check -e proxbox_worker_state=absent
changed
play scale.yml -e expected=1
predicted deploy.yml -e proxbox_worker_state=absent
changed
hides RETRYING
play nothing.yml
play deploy.yml -e proxbox_worker_state=absent
unchanged

say "Remove a running worker whose unit file was removed by hand"
play deploy.yml
play broken.yml
predicted deploy.yml -e proxbox_worker_state=absent
changed
play nothing.yml
play deploy.yml -e proxbox_worker_state=absent
unchanged
