# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The test host: a Debian with a systemd of its own and NetBox installed, to which Ansible comes by ssh."""
