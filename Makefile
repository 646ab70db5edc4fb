# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

# The first python3 that works: a pyenv shim may be on PATH and answer with an error.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 /usr/bin/python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1 && echo "$$python" && break; done)
# The stack of "up" and "down": "make down NAME=demo" ends the one of the demo.
NAME ?= test

CHECK = $(if $(PYTHON),$(PYTHON),$(error No working Python 3.9 or newer was found as python3: install one, or name it with "make PYTHON=/path/to/python3 ...")) tests/check
STACK = $(subst tests/check,tests/stack,$(CHECK))
HOST = $(subst tests/check,tests/host,$(CHECK))

.DEFAULT_GOAL := help
.PHONY: help test lint sanity units integration live previous role bench demo release up down clean

help: ## this list
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf 'make %-12s %s\n' "$$name" "$$text"; done

test: ## every test: lint, ansible-test sanity, unit tests, integration tests against a real NetBox
	@$(CHECK) test

lint: ## style, documentation, and that a release can be built
	@$(CHECK) test --only lint

sanity: ## ansible-test sanity
	@$(CHECK) test --only sanity

units: ## the unit tests, by ansible-test
	@$(CHECK) test --only units

integration: ## ansible-test integration against a real NetBox
	@$(CHECK) test --only integration

live: ## faults between the collection and a real NetBox, and many controllers at once
	@$(CHECK) test --only live

previous: ## the integration targets against an older NetBox and plugin
	@$(CHECK) test --only previous

role: ## the role, deployed on a host with systemd, as root alone
	@$(CHECK) test --only role

bench: ## what the modules cost beside others: requests, bytes, time; with 30,000 finished jobs
	@$(CHECK) bench

demo: ## a real NetBox with the collection at work in it
	@$(CHECK) demo

release: ## build the archive of a release: make release HOME_URL=https://github.com/OWNER/NAME
	@$(CHECK) release --home "$(HOME_URL)"

up: ## bring the real NetBox stack up, and leave it up (NAME=test)
	@$(STACK) up --name $(NAME)

down: ## stop that stack and the host of its name; their data stays (NAME=test)
	@$(HOST) down --name $(NAME)
	@$(STACK) down --name $(NAME)

clean: ## stop every host and stack and remove everything that was built
	@$(CHECK) clean
