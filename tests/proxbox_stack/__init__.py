# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The real test stack: PostgreSQL, Valkey, NetBox with netbox-proxbox, its worker, proxbox-api, a Proxmox mock."""
