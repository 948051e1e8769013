"""Keys that nobody asks for, and the lines of those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import InputError
from dirql.scenario import Scenario

# What the errors list.
COSTS = (
    "clock_tick, config_access, dma_flight, dpc_dispatch, interrupt_entry, interrupt_exit, lead, message_flight, posted_flight, "
    "register_read, register_write, routine, thread_switch"
)
SECTIONS_KNOWN = "device, driver, grant, machine, step, verifier, workload"
STEP = "call, device, exercise, fail, rebalance, remove, run, run_ns, submit, surprise_remove"
ACTIONS = "run, run_ns, exercise, submit, fail, call, rebalance, remove, surprise_remove"
DEVICES = 'use model = "file.py:Class" or dump = "lspci.txt"'
DEVICE = '[device]\nmodel = "mqueue"\n'


def refused(text: str) -> str:
    """What a scenario of this text is refused with."""
    with pytest.raises(InputError) as problem:
        Scenario.parse(text, source="s.toml")
    return str(problem.value)


@pytest.mark.parametrize(("text", "error"), [
    ("[machine]\ncpu = 4\n", "line 2: [machine] has no 'cpu'; did you mean cpus? keys: costs, cpus, memory, seed, windows"),
    ("[machin]\n", f"line 1: the file has no 'machin'; did you mean machine? sections and keys: {SECTIONS_KNOWN}"),
    ("[machine]\n\ncpus = 65\n", "line 3: cpus is 65; it must be 1 to 64"),
    ("[machine]\ncpus = true\n", "line 2: cpus is true; write a whole number"),
    ("[machine]\ncpus = 4.0\n", "line 2: cpus is 4.0; write a whole number"),
    ("[machine]\nwindows = \"12\"\n", "line 2: windows is '12'; write one of 10, 11"),
    ("[machine]\nmemory = 0x20_0001\n", "line 2: memory is 0x200001 bytes; it must be a multiple of 0x1000"),
    ("[machine.costs]\nregister_raed = 1\n",
     f"line 2: [machine.costs] has no 'register_raed'; did you mean register_read? keys: {COSTS}"),
    ("[machine.costs]\nlead = 0\n", "line 2: lead is 0; it must be 1 or more nanoseconds"),
    ("[machine]\ncosts = { register_read = -1 }\n", "line 2: register_read is -1; it must be 0 to 0x4000000000000000"),
    ("machine = 3\n", "line 1: machine is 3; write a table"),
    ("[verifier]\nkmdf = 1\n", "line 2: kmdf is 1; write true or false"),
    ("[driver]\nimage = \"x.sys\"\n",
     'line 2: images (.sys) are not modelled yet; write the driver in Python: python = "driver.py:Class"'),
    ("[driver]\n", "line 1: [driver] says nothing; add python = \"driver.py:Class\" and inf = \"driver.inf\""),
    ("[grant]\nmessages = 2\nline = true\n", "line 3: [grant] has messages and line; write one of messages, one, line"),
    ("[grant]\nmessages = 0\n", "line 2: messages is 0; it must be 1 to 2048"),
    ("[grant]\none = false\n", "line 2: one is false; write true, or leave the key out"),
    ("[grant.reserve]\n4 = 1\n", "line 2: [grant.reserve] has no '4'; keys: 0, 1, 2, 3, all"),
    ("[workload]\n", "line 1: [workload] says nothing; add call = \"file.py:function\", or leave the section out"),
    ("[workload]\ncall = \"x\"\n", "line 2: call is 'x'; write \"file.py:function\""),
    ("[[step]]\nrun = true\n[[step]]\nrun_us = 3\n",
     f"line 4: [[step]] has no 'run_us'; did you mean run_ns? keys: {STEP}"),
    ("[[step]]\nrun = true\nfail = 1\n", f"line 3: [[step]] has run and fail; write one of {ACTIONS}"),
    ("[[step]]\n", f"line 1: [[step]] has none of its keys; write one of {ACTIONS}"),
    ("[[step]]\nrun_ns = 0\n", "line 2: run_ns is 0; it must be 1 to 0x20000000000000"),
    ("[[step]]\nsubmit = \"3\"\n", "line 2: submit is '3'; write submit = { queue = 0 }, or submit = 0 for short"),
    ("[[step]]\nrebalance = { mesages = 1 }\n",
     "line 2: [step.rebalance] has no 'mesages'; did you mean messages? keys: all, line, messages, one"),
    ("[[step]]\nrebalance = {}\n", "line 2: [step.rebalance] has none of its keys; write one of messages, one, line, all"),
    ("[[step]]\nrun = true\ndevice = \"b\"\n", "line 3: device is 'b'; no [[device]] has a name; give it one"),
    ("step = 3\n", "line 1: step is 3; write a section [step], or several [[step]]"),
    ("a = [1,\n", "line 2: is no TOML: Invalid value; correct the syntax"),
    ("a = \n", "line 1: is no TOML: Invalid value; correct the syntax"),
])  # fmt: skip
def test_the_error_names_file_line_value_limit_and_remedy(text: str, error: str) -> None:
    body = text if text.startswith(("machine =", "step =", "a =")) else text + DEVICE
    assert refused(body) == f"s.toml:{error}"


@pytest.mark.parametrize(("text", "error"), [
    ("", "s.toml: there is no [device]; add one: model = \"mqueue\", or dump = \"lspci.txt\""),
    ("[device]\nvfio = \"0000:01:00.0\"\n", f"s.toml:line 2: VFIO devices are not there yet; {DEVICES}"),
    ("[device]\nvfio-user = \"/run/x\"\n", f"s.toml:line 2: vfio-user devices are not there yet; {DEVICES}"),
    ("[device]\nmodel = \"mqeue\"\n",
     "s.toml:line 2: there is no model 'mqeue'; write file.py:Class, or one that ships: edu, mqueue"),
    ("[device]\nmodel = \"edu\"\ndump = \"d\"\n", "s.toml:line 3: [device] has model and dump; write one of model, dump"),
    ("[device]\ndump = \"d\"\n[device.options]\nqueues = 3\n",
     "s.toml:line 3: options has no meaning with dump; it belongs to model = …"),
    ("[device]\ndump = \"d\"\n[device.bars]\n0 = 48\n", "s.toml:line 4: BAR 0 has 0x30 bytes; a size is a power of two"),
    ("[[device]]\nmodel = \"edu\"\nname = \"a\"\n[[device]]\nmodel = \"edu\"\nname = \"a\"\n",
     "s.toml:line 4: a second device is named 'a'; name it otherwise"),
])  # fmt: skip
def test_a_device_that_cannot_be_is_refused(text: str, error: str) -> None:
    assert refused(text) == error


@pytest.mark.parametrize(("data", "error"), [
    (b"[machine]\n\xff = 1\n", "FILE:line 2: byte 0xff at offset 0xa is no UTF-8; save the file as UTF-8"),
    (b"a = 1\n" * 200_000, "FILE: is longer than 0x100000 bytes; name a scenario file"),
    (None, "FILE: No such file or directory; name a scenario file that can be read"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None, error: str) -> None:
    path = tmp_path / "s.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as problem:
        Scenario.load(path)
    assert str(problem.value) == error.replace("FILE", str(path))


# fmt: off
SECTIONS = ["machine", "machine.costs", "device", "device.options", "driver", "grant", "grant.reserve", "workload", "x"]
KEYS = ["cpus", "seed", "model", "dump", "name", "python", "inf", "image", "messages", "line", "call", "kmdf", "0", "all"]
VALUES = ["1", "-1", "true", '"mqueue"', '"a.py:b"', "[]", "{}", "1.5", "1979-05-27", "'''\n[x]\n'''", "9e9", "inf"]
# fmt: on
TABLES = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), TABLES), max_size=4))
def test_any_sections_give_a_scenario_or_an_input_error(sections: list[tuple[str, list[tuple[str, str]]]]) -> None:
    text = ""
    for name, keys in sections:
        text += f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys)
    _scenario_or_error(text)


@given(st.text(alphabet=st.sampled_from('[]{}="\'\n.#, \\abdeimv01_-\0é'), max_size=60))
def test_any_text_gives_a_scenario_or_an_input_error(text: str) -> None:
    _scenario_or_error(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5_000, "[a]\n" * 2, "a.b.c = 1\na.b = 2\n"])
def test_extreme_text_gives_an_input_error(text: str) -> None:
    assert refused(text).startswith("s.toml")


def _scenario_or_error(text: str) -> None:
    try:
        Scenario.parse(text, source="s.toml")
    except InputError as error:
        assert str(error).startswith("s.toml") and "\n" not in str(error)
