# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: without fault as roff, and with all that the tables have."""
import json
import pathlib
import re
import subprocess

import pytest

import manual
from conftest import program, run_ptctl

pytestmark = pytest.mark.skipif(not manual.built(), reason="no manual pages: scdoc is not there")

TOP = pathlib.Path(__file__).parents[2]


def told(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", manual.PAGES)
def test_groff_finds_nothing_to_warn_of(page):
    env = {"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"}
    man = subprocess.run(["man", "--warnings=w", "-l", manual.path(page)], env=env,
                         capture_output=True, text=True, check=True)
    assert man.stderr == ""
    groff = subprocess.run(["groff", "-k", "-t", "-ww", "-man", "-Tutf8", manual.path(page)],
                           capture_output=True, text=True, check=True)
    assert groff.stderr == ""


@pytest.mark.parametrize("page", manual.PAGES)
def test_mandoc_finds_no_error(page):
    assert told("mandoc", "-T", "lint", "-W", "error", manual.path(page)) == ""


@pytest.mark.parametrize("page", manual.PAGES)
def test_apropos_finds_its_name_and_what_it_is(page):
    assert re.search(rf'"{re.escape(page[:-2])} - \S', told("lexgrog", manual.path(page)))


@pytest.mark.parametrize("page", manual.PAGES)
def test_every_page_has_the_parts_that_a_reader_expects(page):
    text = manual.rendered(page)
    wanted = {"1": ["SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"],
              "8": ["SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"],
              "5": ["SYNOPSIS", "EXAMPLES"], "7": []}[page[-1]]
    for heading in ["NAME", "DESCRIPTION", "SEE ALSO", *wanted]:
        assert manual.section(text, heading), heading
    assert re.match(rf"{re.escape(page[:-2])} - \S", manual.section(text, "NAME"))


@pytest.mark.parametrize("page", manual.PAGES)
def test_pages_refer_to_one_another_and_to_pages_that_exist(page):
    ours = {name[:-2]: name[-1] for name in manual.PAGES}
    for name, number in re.findall(r"\b(p(?:ipetool[\w.-]*|tctl))\((\d)\)", manual.rendered(page)):
        assert ours.get(name) == number, f"{name}({number})"


@pytest.mark.parametrize("page", manual.PAGES)
def test_examples_can_be_copied_from_the_page(page):
    text = {line.strip() for line in manual.rendered(page, width=400).splitlines()}
    for example in manual.examples(page):
        for line in example.splitlines():
            assert line.strip() in text


def verbs():
    listed = run_ptctl("help").out.split("\n\n")[1]
    return re.findall(r"^([a-z]+) +\S", listed, re.MULTILINE)


def test_every_verb_is_told_with_all_that_can_be_given_to_it():
    text = manual.section(manual.rendered("ptctl.1", width=400), "VERBS")
    parts = dict(re.findall(r"^(\S+)(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL))
    changes = manual.section(manual.rendered("ptctl.1", width=400), "CHANGES")
    assert {"create", "list", "proxy"} < set(verbs()) <= set(parts)
    for verb in verbs():
        helped = run_ptctl("help", verb).out
        for option in re.findall(r"--[a-z][a-z0-9-]+", helped.split("-s, -j, --timeout")[0]):
            part = parts[verb] + (changes if "see CHANGES" in parts[verb] else "")
            assert option in part, f"{verb} {option}"
        summary = re.match(rf"ptctl {verb} — (.*)", helped).group(1)
        assert summary[1:] in re.sub(r"\s+", " ", parts[verb])


def test_every_block_type_is_told_with_its_parameters(daemon):
    text = manual.rendered("pipetool-blocks.7")
    types = daemon.call("type.list")["types"]
    assert len(types) > 25
    for name in (t["name"] for t in types):
        part = re.search(rf"^   {name}\n(.*?)(?=^ ? ? ?\S)", text, re.MULTILINE | re.DOTALL)
        assert part, name
        shown = daemon.call("type.show", {"type": name})
        for param in shown["params"]:
            assert re.search(rf"^ +{param['name']} \({param['kind']}[,)]", part.group(1),
                             re.MULTILINE), f"{name}.{param['name']}"
        for example in shown["examples"]:
            assert example.splitlines()[0] in part.group(1)


def test_every_kind_of_value_is_explained(daemon):
    text = manual.section(manual.rendered("pipetool-language.7"), "VALUES")
    explained = {word for line in re.findall(r"^([a-z][a-z, ]*)$", text, re.MULTILINE)
                 for word in line.split(", ")}
    used = {param["kind"] for t in daemon.call("type.list")["types"]
            for param in daemon.call("type.show", {"type": t["name"]})["params"]}
    assert used <= explained


def test_every_method_is_told_with_its_parameters(daemon):
    text = manual.rendered("pipetool-protocol.7")
    methods = daemon.call("rpc.discover")["methods"]
    assert len(methods) > 15
    for method in methods:
        part = re.search(rf"^   {re.escape(method['name'])}\n(.*?)(?=^ ? ? ?\S)", text,
                         re.MULTILINE | re.DOTALL)
        assert part, method["name"]
        assert f"For: {method['x-role']}." in re.sub(r"\s+", " ", part.group(1))
        for param in method["params"]:
            assert re.search(rf"^ {{7}}{param['name']} \(", part.group(1), re.MULTILINE), param


def errors():
    text = (TOP / "lib" / "pipetool" / "errors.def").read_text()
    return re.findall(r'^PT_ERROR\(\w+, \d+, "([\w-]+)", (-?\d+), (\d+),', text, re.MULTILINE)


def test_every_kind_of_error_is_told_with_code_and_exit_status():
    kinds = manual.section(manual.rendered("pipetool-protocol.7"), "ERRORS")
    statuses = manual.section(manual.rendered("ptctl.1", width=400), "EXIT STATUS")
    assert errors()
    for kind, code, status in errors():
        assert f"{kind} (code {code})\n" in kinds
        part = re.search(rf"^{status}\n(.*?)(?=^\S|\Z)", statuses, re.MULTILINE | re.DOTALL)
        assert re.search(rf"\b{kind}\b", part.group(1)), kind


def test_every_setting_of_the_package_is_told_with_its_default():
    text = manual.rendered("pipetoold.conf.5")
    section = None
    for line in (TOP / "conf" / "pipetoold.conf").read_text().splitlines():
        if line.startswith("["):
            section = re.search(rf"^   {re.escape(line)}\n(.*?)(?=^ ? ? ?\S)", text,
                                re.MULTILINE | re.DOTALL).group(1)
        elif setting := re.match(r"#?([a-z_]+) =", line):
            assert re.search(rf"^ +{setting.group(1)} \([a-z]+\)$", section, re.MULTILINE), line
    assert section


def test_every_option_of_the_daemon_is_told():
    text = manual.section(manual.rendered("pipetoold.8"), "OPTIONS")
    options = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", told(program("pipetoold"), "--help"),
                         re.MULTILINE)
    assert "--config" in options
    for option in options:
        assert re.search(rf"^(-\w, )?{option}( [A-Z]+)?$", text, re.MULTILINE), option


def test_the_pages_are_installed_where_man_looks():
    plan = json.loads(told("meson", "introspect", "--installed", manual.path("..").resolve()))
    targets = {pathlib.Path(source).name: target for source, target in plan.items()}
    for page in manual.PAGES:
        assert targets[page].endswith(f"/share/man/man{page[-1]}/{page}")
