# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

# The stack of "up" and "down": "make down NAME=demo" ends the one of the demo.
NAME ?= test

.DEFAULT_GOAL := help
.PHONY: help test checks sanity units integration live previous role bench demo release up down clean

help: ## this list
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf 'make %-12s %s\n' "$$name" "$$text"; done
	@echo 'tests/nox -l     all sessions: also each check alone, and each supported ansible-core'

test: ## every test: checks, ansible-test sanity, unit tests, integration tests against a real NetBox
	@tests/nox -s test

checks: ## style, types, documentation, and that a release can be built
	@tests/nox -s checks

sanity: ## ansible-test sanity
	@tests/nox -s sanity

units: ## the unit tests, by ansible-test
	@tests/nox -s units

integration: ## ansible-test integration against a real NetBox
	@tests/nox -s integration

live: ## faults between the collection and a real NetBox, and many controllers at once
	@tests/nox -s live

previous: ## the integration targets against an older NetBox and plugin
	@tests/nox -s previous

role: ## the role, deployed on a host with systemd (requires root)
	@tests/nox -s role

bench: ## what the modules cost beside others: requests, bytes, time; with 30,000 finished jobs
	@tests/nox -s bench

demo: ## a real NetBox with the collection at work in it
	@tests/nox -s demo

release: ## build the archive of a release: make release HOME_URL=https://github.com/OWNER/NAME
	@tests/nox -s release -- "$(HOME_URL)"

up: ## bring the real NetBox stack up, and leave it up (NAME=test)
	@tests/stack up --name $(NAME)

down: ## stop that stack and the host of its name; their data stays (NAME=test)
	@tests/host down --name $(NAME)
	@tests/stack down --name $(NAME)

clean: ## stop every host and stack and remove everything that was built
	@tests/nox -s clean
