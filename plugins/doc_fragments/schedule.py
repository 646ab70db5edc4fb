# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options and notes that proxbox_sync_schedule and proxbox_sync_schedules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The options for when a schedule runs: ``RUNNING_SPEC``, and those of ``SCHEDULE_SPEC`` without its scope."""

    DOCUMENTATION = r"""
options:
  schedule_at:
    description:
      - Time of the first run. ISO 8601 with or without offset (V(2026-04-01T02:00:00+02:00), V(2026-04-01 02:00)), a
        time of day (V(02:00), the next one), a day of the week with a time of day (V(sunday 02:00) or V(sun 02:00), the
        next one) or a minute of the hour (V(:00), the next full hour). Quote the value, because YAML reads some times
        as numbers.
      - A day of the week needs an O(interval) of whole weeks, or none. With more than one week, for example V(2w), the
        first run is on the next such day.
      - With O(interval), the time can be in the past. The schedule then starts at its next occurrence.
      - Without O(interval), the time can be in the past only if NetBox has a job that ran at this time, successfully or
        not. A time without a date, for example V(02:00) or V(sunday 02:00), is scheduled again by the next task after
        its run.
      - If not set, empty or V(now), the first run starts at once. If you change O(interval) or the scope later, the
        time of the next run does not change. If it is more than one interval away, it is moved to one interval from
        now.
    type: str
  interval:
    description:
      - Time between two runs. Minutes (V(1440)), numbers with units (V(30m), V(12h), V(1d), V(1w), V(1h30m),
        V(90 minutes), V(12 hours), V(2 days), V(1 week)), or V(hourly), V(daily) or V(weekly).
      - NetBox can only repeat a sync after a number of minutes. For a sync on working days, declare five weekly
        schedules, such as V(mon 02:00) and V(tue 02:00).
      - With an interval of whole days, all runs have the same time of day in O(timezone), or in the offset of
        O(schedule_at) if it has one. NetBox itself only counts minutes. After daylight saving time has begun or ended,
        the next run of the task moves the schedule back to this time of day.
      - If not set, empty or V(once), the sync runs once. Executing the task again does nothing, even if the sync failed
        or was cancelled while it ran, as long as NetBox keeps the job (see O(job_retention)). To run a sync with each
        task, use M(proxbox.proxbox.proxbox_job).
    type: str
  timezone:
    description:
      - Time zone of a time that has no offset, and of the times in messages and in the diff. An IANA name, for example
        V(Europe/Berlin).
      - If daylight saving time begins, a time in the hour that this time zone skips is one hour later on this day.
    type: str
    default: UTC
  enabled:
    description:
      - V(false) pauses the schedule. The module checks all options, and makes sure that the schedule has no job in
        NetBox. NetBox itself knows no paused schedules, so only the playbook has its definition.
      - V(true) resumes the schedule. With O(schedule_at), its next run is the next one that O(schedule_at) and
        O(interval) give. Without O(schedule_at), a run starts at once.
      - O(when_running) tells what happens to a running sync of the schedule. A sync that somebody runs at once under
        the name of a schedule that recurs, or that has a date, does not belong to the schedule, and goes on.
    type: bool
    default: true
  skip_until:
    description:
      - Time before which no run starts, for example the end of a maintenance. ISO 8601 (V(2026-12-24 18:00)), or a date
        (V(2026-12-27)), which means the beginning of this day. The time zone is O(timezone) if the value has no offset.
      - The next run is the first one from this time on. The times of all runs after it do not change. After this time,
        the option has no effect, so it can stay in the playbook.
      - Requires O(interval).
    type: str
  drift:
    description:
      - What to do if a schedule has drifted. Its next run is then not at a time that O(schedule_at) and O(interval)
        give.
      - A schedule drifts if a run ends after the next run was due, because NetBox then moves the next run and all runs
        after it. It can also drift when daylight saving time begins or ends.
      - V(repair) replaces the next run with a run at the right time.
      - V(ignore) keeps the time to which NetBox has moved the schedule. If you change O(schedule_at) in the task, the
        schedule is changed. To know whether NetBox moved the run or you changed O(schedule_at), the task reads up to
        100 past jobs of the schedule.
    type: str
    choices: [repair, ignore]
    default: repair
  when_running:
    description:
      - What to do with a running sync if its schedule is removed or changed.
      - V(wait) lets the run finish, then cancels its successor.
      - V(cancel) cancels the run.
      - V(fail) fails the task. Nothing is changed.
    type: str
    choices: [wait, cancel, fail]
    default: wait
  wait_timeout:
    description:
      - Seconds to wait for the end of a running sync with O(when_running=wait). If more than one sync of a schedule is
        running, the time counts for all of them together. After this time the task fails, and the sync goes on.
    type: float
    default: 3600
  job_retention:
    description:
      - Days for which NetBox keeps jobs. Set it to the value of C(JOB_RETENTION) in NetBox, or to V(0) if NetBox keeps
        all jobs. The NetBox API does not show this value.
      - NetBox deletes a job this many days after its creation, even if the job has not run yet. Therefore the task does
        not create a job if its first run is more than 90% of this time away, or if its interval is longer than that.
        The task fails instead.
      - When NetBox has deleted the job of a one-time schedule without O(schedule_at), the next task runs the sync
        again. If O(schedule_at) is more than 10% of this time in the past, and NetBox has no job for it, the task shows
        a warning and does nothing.
    type: float
    default: 90
  stale_after:
    description:
      - Time after which a running sync counts as dead. A number with a unit (V(90m), V(2h)), or minutes. A sync that
        has not started counts as dead if it is overdue by more than this time while workers are running.
      - The task cancels a dead job. If the schedule is to be present, the task creates a new job for it.
      - This option is used only if NetBox does not show RQ's record of the job. NetBox shows it to superusers only.
        With a superuser's token, the task notices about five minutes later that a worker was killed, and never treats a
        long run as dead while its worker is alive.
      - The default is the time for which NetBox lets a sync run. This is the plugin's setting C(sync_job_timeout), or
        two hours if the plugin is older than 0.0.27 or the token may not read the setting.
    type: str
  check_queue:
    description:
      - Whether to ask RQ for jobs that are not due yet, and replace a job that RQ has lost. Redis loses its jobs if its
        data is deleted, for example if it runs in a container without a volume. NetBox still shows such a job as
        scheduled, but it never runs.
      - With V(false), the task finds a lost job two minutes after the time of its run, because only a job that is due
        costs a request.
      - Costs one request for each schedule. In a list of schedules, it costs one request for all as long as RQ has as
        many scheduled jobs as NetBox.
      - NetBox shows RQ's jobs to superusers only. With the token of another user, the task shows a warning.
    type: bool
    default: false
notes:
  - NetBox only counts minutes from one run to the next. Each run of the task repairs a schedule that has drifted, has
    died or exists twice. Run the task regularly.
  - If a recurring sync fails, its schedule goes on, and the task stays C(ok). Use
    M(proxbox.proxbox.proxbox_sync_schedule_info) to find failed syncs.
  - If the task fails after it has changed something, the message says what was changed, and C(changed) is V(true).
  - A job belongs to the schedule of its name, also if it was created by hand. A sync that was started at once, with the
    button I(Run now) or with M(proxbox.proxbox.proxbox_job), does not belong to a recurring or dated schedule.
  - The current time is that of NetBox's clock, as the header C(Date) of its answers shows it. Some proxies replace this
    header with their own time. The clocks of NetBox and such a proxy must agree.
"""
