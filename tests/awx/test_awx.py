# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The files in awx/ match the playbooks, the modules, AWX's own rules, and the modules of awx.awx."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.action import proxbox_report
from ansible_collections.proxbox.proxbox.plugins.module_utils._survey import read_answers
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator

CHECKOUT = Path(__file__).resolve().parents[2]
AWX = CHECKOUT / "awx"
# Recorded from the documentation of awx.awx 23.9.0: the options of the modules, without their descriptions.
OPTIONS = json.loads((Path(__file__).parent / "awx.awx-23.9.0.json").read_text())
SURVEY_TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=Loader)


DATA = load(AWX / "controller.yml")
TEMPLATES = {template["name"]: template for template in DATA["controller_templates"]}
QUESTIONS = [
    (template, question)
    for template in TEMPLATES.values()
    for question in template.get("survey_spec", {}).get("spec", [])
]


def question_id(value: Any) -> str:
    return value.get("variable") or value["name"]


def tasks(playbook: str) -> list[dict[str, Any]]:
    """Return the tasks of a playbook of the collection."""
    found: list[dict[str, Any]] = []
    for play in load(CHECKOUT / "playbooks" / playbook):
        todo = list(play.get("tasks", []))
        while todo:
            task = todo.pop()
            todo += [inner for part in ("block", "rescue", "always") for inner in task.get(part, [])]
            found.append(task)
    return found


def options_of(playbook: str, variable: str) -> list[dict[str, Any]]:
    """Return the specifications of the options that a playbook sets from a variable."""
    found = []
    for task in tasks(playbook):
        for action, arguments in task.items():
            if action.startswith("proxbox.proxbox."):
                taken = [name for name, value in arguments.items() if re.search(rf"\b{variable}\b", str(value))]
                spec = argument_spec(action.rpartition(".")[2]) if taken else {}
                found += [spec[name] for name in taken]
    return found


def argument_spec(module: str) -> dict[str, Any]:
    if module == "proxbox_report":
        return proxbox_report.SPEC
    return validator(
        importlib.import_module(f"ansible_collections.proxbox.proxbox.plugins.modules.{module}")
    ).argument_spec


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=question_id)
def test_a_template_runs_a_playbook_of_the_collection(template: dict[str, Any]) -> None:
    ((imported,),) = (load(AWX / template["playbook"]),)
    assert imported["ansible.builtin.import_playbook"] == f"proxbox.proxbox.{Path(template['playbook']).stem}"
    assert (CHECKOUT / "playbooks" / template["playbook"]).exists()


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=question_id)
def test_an_answer_sets_an_option(template: dict[str, Any], question: dict[str, Any]) -> None:
    options = options_of(template["playbook"], question["variable"])
    assert options
    for option in options:
        allowed = option.get("choices") or (["true", "false"] if option["type"] == "bool" else None)
        if "choices" in question:
            assert allowed and set(question["choices"]) <= set(allowed)
        assert (question["type"] == "integer") <= (option["type"] in ("int", "float"))


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=question_id)
def test_awx_accepts_each_question(template: dict[str, Any], question: dict[str, Any]) -> None:
    assert {"question_name", "variable", "type", "required"} <= set(question)
    assert set(question) <= {
        "question_name", "question_description", "variable", "type", "required", "default", "choices", "min", "max",
    }  # fmt: skip
    assert question["type"] in SURVEY_TYPES
    assert ("choices" in question) == (question["type"] in ("multiplechoice", "multiselect"))
    if "choices" in question:
        assert all(isinstance(choice, str) for choice in question["choices"])
        assert question.get("default", question["choices"][0]) in question["choices"]
    if question["type"] == "integer":
        assert isinstance(question.get("default", 0), int)
    variables = [other["variable"] for other in template["survey_spec"]["spec"]]
    assert variables.count(question["variable"]) == 1


@pytest.mark.parametrize(("template", "question"), QUESTIONS, ids=question_id)
def test_a_blank_answer_means_the_default_of_the_survey(template: dict[str, Any], question: dict[str, Any]) -> None:
    """AWX replaces a missing answer with the default of the survey. A playbook treats a blank answer as not set."""
    if question["required"] or str(question.get("default", "{{")).startswith("{{"):
        return  # a default with {{ comes from values.yml
    assert "blank" not in question.get("question_description", "")
    text = (CHECKOUT / "playbooks" / template["playbook"]).read_text()
    of_playbook = re.findall(rf"\b{question['variable']} \| default\('(\w+)', true\)", text)
    for option in options_of(template["playbook"], question["variable"]):
        assert of_playbook == [question["default"]] or str(option.get("default")).lower() == str(question["default"])


def required(template: dict[str, Any]) -> set[str]:
    """Return the variables of the required questions."""
    return {
        question["variable"] for question in template.get("survey_spec", {}).get("spec", []) if question["required"]
    }


def test_which_questions_are_required() -> None:
    assert set().union(*map(required, TEMPLATES.values())) == {
        "proxbox_schedules", "proxbox_schedule_name", "proxbox_report_fail",
    }  # fmt: skip


def test_a_schedule_answers_the_required_questions() -> None:
    """AWX refuses a schedule without an answer to a required question, even if the question has a default."""
    for schedule in DATA["controller_schedules"]:
        assert set(schedule["extra_data"]) == required(TEMPLATES[schedule["unified_job_template"]])


@pytest.mark.parametrize("playbook", sorted(path.name for path in (CHECKOUT / "playbooks").glob("*.yml")))
def test_a_blank_variable_of_a_playbook_counts_as_not_set(playbook: str) -> None:
    """The default also replaces a blank value, or it is blank itself. The module treats a blank option as not set."""
    text = (CHECKOUT / "playbooks" / playbook).read_text()
    for start in re.finditer(r"\bproxbox_\w+ \| default\(", text):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        assert re.fullmatch(r"''|.*, true", text[start.end() : end - 1], re.DOTALL), text[start.start() : end]


def test_the_timeout_of_a_template_is_longer_than_its_wait_timeout() -> None:
    for template in TEMPLATES.values():
        for question in template.get("survey_spec", {}).get("spec", []):
            if question["variable"] == "proxbox_wait_timeout":
                assert template["timeout"] > question["max"] >= question["default"]


def test_awx_accepts_the_credential_type() -> None:
    (kind,) = DATA["controller_credential_types"]
    fields = {field["id"]: field for field in kind["inputs"]["fields"]}
    assert all(re.fullmatch(r"[a-zA-Z_]+[a-zA-Z0-9_]*", name) for name in fields)
    assert {field["type"] for field in fields.values()} <= {"string", "boolean"}
    assert set(kind["inputs"]["required"]) <= set(fields)
    assert {name for name, field in fields.items() if field.get("secret")} == {"token", "password"}
    assert not any(name.startswith("ANSIBLE_") for name in kind["injectors"]["env"])
    used = " ".join(kind["injectors"]["env"].values()) + " ".join(kind["injectors"]["file"].values())
    names = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)*", used)) - {"if", "else", "default"}
    assert names == {*fields, "tower.filename.ca"}


def test_the_credential_type_sets_variables_that_the_modules_read() -> None:
    from ansible_collections.proxbox.proxbox.plugins.module_utils._module import CONNECTION_SPEC, LOGIN_SPEC

    read = {
        name for spec in ({**CONNECTION_SPEC, **LOGIN_SPEC}).values() for name in spec.get("fallback", (None, []))[1]
    }
    (kind,) = DATA["controller_credential_types"]
    assert set(kind["injectors"]["env"]) <= read


def test_each_name_that_is_used_is_defined() -> None:
    names = {
        key: {item["name"] for item in DATA[key]} for key in DATA if isinstance(DATA[key], list) and "_awx_" not in key
    }
    for template in TEMPLATES.values():
        assert template["project"] in names["controller_projects"]
        assert template["inventory"] in names["controller_inventories"]
        assert template["execution_environment"] in names["controller_execution_environments"]
        assert set(re.findall(r"Proxbox \w+", str(template["credentials"]))) == names["controller_credentials"]
    for credential in DATA["controller_credentials"]:
        assert credential["credential_type"] in names["controller_credential_types"]
    for schedule in DATA["controller_schedules"]:
        assert schedule["unified_job_template"] in TEMPLATES


def test_a_failed_report_sends_a_notification() -> None:
    report = TEMPLATES["Proxbox report"]
    assert report["notification_templates_error"] == "{{ proxbox_awx_on_failure }}"
    assert default_of(report, "proxbox_report_fail") == "true"


STUB = """\
import json
from ansible.module_utils.basic import AnsibleModule

def spec(options):
    return {{
        name: {{
            **{{key: value for key, value in option.items() if key != "suboptions"}},
            **({{"options": spec(option["suboptions"])}} if "suboptions" in option else {{}}),
        }}
        for name, option in options.items()
    }}

module = AnsibleModule(spec(json.loads({options!r})))
with open({calls!r}, "a") as calls:
    given = {{name: value for name, value in module.params.items() if value is not None}}
    calls.write(json.dumps([{name!r}, given]) + "\\n")
module.exit_json(changed=True)
"""


def applied(tmp_path: Path, **values: Any) -> tuple[subprocess.CompletedProcess[str], list[Any]]:
    """Run apply.yml with modules that have the options of awx.awx, and return the options that they were given."""
    folder = tmp_path / "ansible_collections" / "awx" / "awx" / "plugins" / "modules"
    folder.mkdir(parents=True)
    calls = tmp_path / "calls"
    calls.touch()
    for name, options in OPTIONS.items():
        text = STUB.format(options=json.dumps(options), calls=str(calls), name=name)
        (folder / f"{name}.py").write_text(text)
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), str(AWX / "apply.yml"), "-e", json.dumps(values)]
    env = {
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    return done, [json.loads(line) for line in calls.read_text().splitlines()]


VALUES = {
    "proxbox_awx_project_url": "https://git.example.com/proxbox-awx.git",
    "proxbox_awx_image": "registry.example.com/proxbox-ee:1",
    "proxbox_awx_netbox_url": "https://netbox.example.com",
}


def test_three_values_are_enough(tmp_path: Path) -> None:
    done, calls = applied(tmp_path, **VALUES)
    assert done.returncode == 0, done.stdout
    assert [given["name"] for name, given in calls if name == "job_template"] == list(TEMPLATES)
    ((_name, credential),) = (call for call in calls if call[0] == "credential")
    assert credential["inputs"] == {"url": "https://netbox.example.com", "validate_certs": True}
    # An existing credential is not changed: AWX would replace all inputs at once, and the token would be lost.
    assert credential["state"] == "exists"
    ((_name, kind),) = (call for call in calls if call[0] == "credential_type")
    assert kind["injectors"]["env"]["NETBOX_TOKEN"] == "{{ token }}"
    assert not [name for name, _given in calls if name == "notification_template"]
    assert [given["enabled"] for name, given in calls if name == "schedule"] == [False, False]
    templates = {given["name"]: given for name, given in calls if name == "job_template"}
    assert templates["Proxbox worker"]["credentials"] == ["Proxbox NetBox"]
    example = read_answers(
        {"schedules": default_of(templates["Proxbox schedules"], "proxbox_schedules")},
        argument_spec("proxbox_sync_schedules"),
    )
    assert [entry["name"] for entry in example["schedules"]] == ["nightly"]


def test_apply_uses_each_value(tmp_path: Path) -> None:
    schedules = [{"name": "nightly", "schedule_at": "02:00", "interval": "daily"}, {"name": "gone", "state": "absent"}]
    values = {
        "proxbox_awx_schedules": schedules,
        "proxbox_awx_schedules_each_hour": "true",  # as -e passes it
        "proxbox_awx_report_names": ["nightly", "weekly"],
        "proxbox_awx_report_each_day": True,
        "proxbox_awx_machine_credential": "NetBox hosts",
    }
    done, calls = applied(tmp_path, **VALUES, **values)
    assert done.returncode == 0, done.stdout
    templates = {given["name"]: given for name, given in calls if name == "job_template"}
    assert templates["Proxbox worker"]["credentials"] == ["Proxbox NetBox", "NetBox hosts"]
    assert {tuple(given["credentials"]) for name, given in templates.items() if name != "Proxbox worker"} == {
        ("Proxbox NetBox",)
    }
    text = default_of(templates["Proxbox schedules"], "proxbox_schedules")
    assert read_answers({"schedules": text}, argument_spec("proxbox_sync_schedules")) == {"schedules": schedules}
    assert default_of(templates["Proxbox report"], "proxbox_report_names") == "nightly\nweekly"
    assert paths(calls) == {
        "Proxbox": ["Proxbox worker", "Proxbox schedules", "Proxbox sync"],
        "Proxbox repair": ["Proxbox report fails", "Proxbox worker", "Proxbox schedules", "Proxbox sync"],
    }
    given = {given["name"]: (given["enabled"], given["extra_data"]) for name, given in calls if name == "schedule"}
    assert given == {
        "Proxbox schedules each hour": (True, {"proxbox_schedules": text}),
        "Proxbox report each day": (True, {"proxbox_report_fail": "true"}),
    }


def paths(calls: list[Any]) -> dict[str, list[str]]:
    """Return the templates that each workflow runs, in their order."""
    found = {}
    for given in (given for name, given in calls if name == "workflow_job_template"):
        nodes = {node["identifier"]: node for node in given["workflow_nodes"]}
        following, path = given["workflow_nodes"][0]["identifier"], []
        while following:
            node = nodes.pop(following)
            template = node["unified_job_template"]["name"]
            assert set(node["extra_data"] or {}) == required(TEMPLATES[template])
            ways = {way: others for way, others in (node["related"] or {}).items() if others}
            assert len(ways) <= 1
            path.append(template + (" fails" if "failure_nodes" in ways else ""))
            following = next((other["identifier"] for others in ways.values() for other in others), None)
        assert not nodes
        found[given["name"]] = path
    return found


def default_of(template: dict[str, Any], variable: str) -> Any:
    (found,) = (question for question in template["survey_spec"]["spec"] if question["variable"] == variable)
    return found["default"]


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    more = {
        "proxbox_awx_netbox_token": "opensesame",
        "proxbox_awx_netbox_ca": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        "proxbox_awx_validate_certs": "false",  # as -e passes it
        "proxbox_awx_webhook_url": "https://hook.example.com",
    }
    done, calls = applied(tmp_path, **VALUES, **more)
    assert done.returncode == 0 and "opensesame" not in done.stdout + done.stderr, done.stdout
    ((_name, credential),) = (call for call in calls if call[0] == "credential")
    assert credential["inputs"] == {
        "url": "https://netbox.example.com",
        "token": "opensesame",
        "validate_certs": False,
        "ca": more["proxbox_awx_netbox_ca"],
    }
    assert credential["state"] == "present"
    (template, *_others) = (given for name, given in calls if name == "job_template")
    assert template["notification_templates_error"] == ["Proxbox failure"]


def test_the_error_names_a_blank_value(tmp_path: Path) -> None:
    done, calls = applied(tmp_path, **{**VALUES, "proxbox_awx_image": ""})
    assert done.returncode and "proxbox_awx_image is blank: set it in values.yml." in done.stdout + done.stderr
    assert calls == []
