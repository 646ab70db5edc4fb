# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The test host: a Debian with its own systemd and with NetBox installed, which Ansible reaches over ssh."""
