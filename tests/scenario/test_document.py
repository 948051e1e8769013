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
    ("[machine]\ncpu = 4\n",
     "2: [machine] cpu = 4: there is no such key; did you mean cpus? keys: costs, cpus, memory, preempt, seed, windows"),
    ("[machin]\n", f"1: [machin]: there is no such section; did you mean machine? sections: {SECTIONS_KNOWN}"),
    ("[machine]\n\ncpus = 65\n", "3: [machine] cpus = 65: out of range; write 1 to 64"),
    ("[machine]\ncpus = true\n", "2: [machine] cpus = true: it has the wrong type; write a whole number"),
    ("[machine]\ncpus = 4.0\n", "2: [machine] cpus = 4.0: it has the wrong type; write a whole number"),
    ("[machine]\nwindows = \"12\"\n", "2: [machine] windows = '12': there is no such choice; write one of 10, 11"),
    ("[machine]\npreempt = \"often\"\n", "2: [machine] preempt = 'often': there is no such choice; write one of calls, memory"),
    ("[machine]\npreempt = 0\n", "2: [machine] preempt = 0: out of range; write 1 to 0x100000000"),
    ("[machine]\nmemory = 0x20_0001\n", "2: [machine] memory = 0x200001: no whole number of pages; write a multiple of 0x1000"),
    ("[machine.costs]\nregister_raed = 1\n",
     f"2: [machine.costs] register_raed = 1: there is no such key; did you mean register_read? keys: {COSTS}"),
    ("[machine.costs]\nlead = 0\n", "2: [machine.costs] lead = 0: time would stand still; write 1 or more nanoseconds"),
    ("[machine]\ncosts = { register_read = -1 }\n",
     "2: [machine.costs] register_read = -1: out of range; write 0 to 0x4000000000000000"),
    ("machine = 3\n", "1: machine = 3: it has the wrong type; write a table"),
    ("[verifier]\nkmdf = 1\n", "2: [verifier] kmdf = 1: it has the wrong type; write true or false"),
    ("[driver]\nimage = \"x.sys\"\npython = \"x.py\"\n", "3: [driver] has python and image; write one of python, image, source"),
    ("[driver]\n",
     ("1: [driver] says nothing; "
      'add python = "driver.py:Class", image = "driver.sys" or source = "folder", and inf = "driver.inf"')),
    ("[grant]\nmessages = 2\nline = true\n", "3: [grant] has messages and line; write one of messages, one, line"),
    ("[grant]\nmessages = 0\n", "2: [grant] messages = 0: out of range; write 1 to 2048"),
    ("[grant]\none = false\n", "2: [grant] one = false: true is its only value; write true, or leave the key out"),
    ("[grant.reserve]\n4 = 1\n", "2: [grant.reserve] 4 = 1: there is no such key; keys: 0, 1, 2, 3, all"),
    ("[workload]\n", "1: [workload] says nothing; add call = \"file.py:function\", or leave the section out"),
    ("[workload]\ncall = \"x\"\n", "2: [workload] call = 'x': it names no function of a file; write \"file.py:function\""),
    ("[[step]]\nrun = true\n[[step]]\nrun_us = 3\n",
     f"4: [[step]] run_us = 3: there is no such key; did you mean run_ns? keys: {STEP}"),
    ("[[step]]\nrun = true\nfail = 1\n", f"3: [[step]] has run and fail; write one of {ACTIONS}"),
    ("[[step]]\n", f"1: [[step]] has none of its keys; write one of {ACTIONS}"),
    ("[[step]]\nrun_ns = 0\n", "2: [[step]] run_ns = 0: out of range; write 1 to 0x20000000000000"),
    ("[[step]]\nsubmit = \"3\"\n",
     "2: [[step]] submit = '3': it has the wrong type; write submit = { queue = 0 }, or submit = 0 for short"),
    ("[[step]]\nrebalance = { mesages = 1 }\n",
     "2: [step.rebalance] mesages = 1: there is no such key; did you mean messages? keys: all, line, messages, one"),
    ("[[step]]\nrebalance = {}\n", "2: [step.rebalance] has none of its keys; write one of messages, one, line, all"),
    ("[[step]]\nrun = true\ndevice = \"b\"\n", "3: [[step]] device = 'b': no [[device]] has a name; give it one: name = …"),
    ("step = 3\n", "1: step = 3: it has the wrong type; write a section [step], or several [[step]]"),
    ("a = [1,\n", "2: is no TOML: Invalid value; correct the syntax"),
    ("a = \n", "1: is no TOML: Invalid value; correct the syntax"),
])  # fmt: skip
def test_the_error_names_file_line_value_limit_and_remedy(text: str, error: str) -> None:
    body = text if text.startswith(("machine =", "step =", "a =")) else text + DEVICE
    assert refused(body) == f"s.toml:{error}"


@pytest.mark.parametrize(("text", "error"), [
    ("", "s.toml: there is no [device]; add one: model = \"mqueue\", or dump = \"lspci.txt\""),
    ("[device]\nvfio = \"0000:01:00.0\"\n",
     f"s.toml:2: [device] vfio = '0000:01:00.0': VFIO devices are not there yet; {DEVICES}"),
    ("[device]\nvfio-user = \"/run/x\"\n",
     f"s.toml:2: [device] vfio-user = '/run/x': vfio-user devices are not there yet; {DEVICES}"),
    ("[device]\nmodel = \"mqeue\"\n",
     "s.toml:2: [device] model = 'mqeue': there is no such model; write file.py:Class, or one that ships: edu, mqueue"),
    ("[device]\nmodel = \"edu\"\ndump = \"d\"\n", "s.toml:3: [device] has model and dump; write one of model, dump"),
    ("[device]\ndump = \"d\"\n[device.options]\nqueues = 3\n",
     "s.toml:3: [device.options]: it has no meaning with dump; it belongs to model = …"),
    ("[device]\ndump = \"d\"\n[device.bars]\n0 = 48\n",
     "s.toml:4: [device.bars] 0 = 48: a BAR's size is a power of two; write the size that lspci -v prints"),
    ("[[device]]\nmodel = \"edu\"\nname = \"a\"\n[[device]]\nmodel = \"edu\"\nname = \"a\"\n",
     "s.toml:4: [[device]] name = 'a': a second device has this name; name it otherwise"),
])  # fmt: skip
def test_a_device_that_cannot_be_is_refused(text: str, error: str) -> None:
    assert refused(text) == error


@pytest.mark.parametrize(("data", "error"), [
    (b"[machine]\n\xff = 1\n", "FILE:2: byte 0xff at offset 0xa is no UTF-8; save the file as UTF-8"),
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
