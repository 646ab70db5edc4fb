# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The checks of this collection: lint, sanity, unit and integration tests, and the demo."""
