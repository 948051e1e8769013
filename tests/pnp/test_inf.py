"""INF files: syntax, which install section a device gets, and the values of its hardware key."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirql.errors import InputError, UsageError
from dirql.pnp import Inf, Install
from dirql.pnp.registry import RegistryValue

IDS = (r"PCI\VEN_1234&DEV_0004&SUBSYS_11001AF4&REV_01", r"PCI\VEN_1234&DEV_0004&SUBSYS_11001AF4", r"PCI\VEN_1234&DEV_0004")
HEAD = '[Version]\nSignature="$WINDOWS NT$"\n'
MSI = r'HKR,"Interrupt Management\MessageSignaledInterruptProperties",MSISupported,0x00010001,1'
WHOLE = rf"""
; a driver package
[Version]
Signature = "$Windows NT$"        ; the quotes protect nothing here
Class     = Net

[Manufacturer]
%Maker% = Models, NTamd64, NTamd64.10.0...16299, NTx86, NTarm64

[Models.NTamd64]
%Card% = Old, PCI\VEN_1234&DEV_0004

[Models.NTamd64.10.0...16299]
%Card% = New, PCI\VEN_1234&DEV_0004, PCI\VEN_1234

[New.NT]
CopyFiles = @card.sys, \
            @card.dll

[new.nt.hw]
AddReg = Interrupts

[Interrupts]
HKR,"Interrupt Management",,0x00000010
HKR,"Interrupt Management\MessageSignaledInterruptProperties",,0x10
{MSI}
HKR,"Interrupt Management\MessageSignaledInterruptProperties",MessageNumberLimit,0x10001,9

[INTERRUPTS]
HKR,"Interrupt Management\Affinity Policy",AssignmentSetOverride,0x1,0f,0x00,A0

[New.NT.Services]
AddService = card,2,Service

[Service]
ServiceBinary = %13%\card.sys

[Strings]
Maker = "The ""Card"" Company; Ltd"
Card  = "Card, 100%"
"""


def install(text: str, ids: tuple[str, ...] = IDS, windows: str = "11") -> Install | None:
    return Inf.parse(text.encode(), source="card.inf", windows=windows).match(ids)


def added(*lines: str) -> dict[str, RegistryValue]:
    """The hardware key after these AddReg lines."""
    text = HEAD + "[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I," + IDS[2] + "\n[I]\n[I.HW]\nAddReg=A\n[A]\n" + "\n".join(lines)
    found = install(text)
    assert found is not None
    return dict(found.registry)


def test_a_whole_file_gives_the_hardware_key() -> None:
    found = install(WHOLE)
    assert found is not None
    assert (found.section, found.description, found.hardware_id) == ("New.NT", "Card, 100%", IDS[2])
    key = r"Interrupt Management\MessageSignaledInterruptProperties"
    assert dict(found.registry) == {
        rf"{key}\MSISupported": RegistryValue("REG_DWORD", 1),
        rf"{key}\MessageNumberLimit": RegistryValue("REG_DWORD", 9),
        r"Interrupt Management\Affinity Policy\AssignmentSetOverride": RegistryValue("REG_BINARY", b"\x0f\x00\xa0"),
    }
    assert found.notes == ()


@pytest.mark.parametrize(
    "encode",
    [
        lambda t: t.encode(),
        lambda t: codecs.BOM_UTF8 + t.encode(),
        lambda t: codecs.BOM_UTF16_LE + t.encode("utf-16-le"),
        lambda t: codecs.BOM_UTF16_BE + t.encode("utf-16-be"),
        lambda t: t.replace("\n", "\r\n").encode("cp1252"),
        lambda t: t.replace("\n", "\r").encode(),
    ],
    ids=["utf-8", "utf-8 BOM", "utf-16 LE", "utf-16 BE", "ANSI, CR LF", "CR"],
)
def test_every_encoding_and_line_end_reads_the_same(encode: object, tmp_path: Path) -> None:
    path = tmp_path / "card.inf"
    assert callable(encode)
    path.write_bytes(encode(WHOLE.replace("Ltd", "© Ltd")))
    found = Inf.load(path).match(IDS)
    assert found is not None
    assert len(found.registry) == 3


@pytest.mark.parametrize(("line", "key", "values"), [
    ("a = b",                      "a",  ("b",)),
    ("a=b,c , d",                  "a",  ("b", "c", "d")),
    ("a,b=c",                      None, ("a", "b=c")),
    ("HKR,,,0x10",                 None, ("HKR", "", "", "0x10")),
    ('"a;b" = "c,d" ; e',          "a;b", ("c,d",)),
    ('a = " b "',                  "a",  (" b ",)),
    ('a = "say ""hi"""',           "a",  ('say "hi"',)),
    ("a = 100%%",                  "a",  ("100%",)),
    ("a = 100%",                   "a",  ("100%",)),
    (r"a = %12%\x.sys",            "a",  (r"%12%\x.sys",)),
    ("a = %S%%s%",                 "a",  ("textText".replace("T", "t"),)),
    ("a = b=c",                    "a",  ("b=c",)),
    ("a = b \\\n  , c",            "a",  ("b", "c")),
    ("a = b, \\ ; comment\n c",    "a",  ("b", "c")),
    ('a = "C:\\"',                 "a",  ("C:\\",)),
    ("a",                          None, ("a",)),
])  # fmt: skip
def test_a_line_is_a_key_and_values(line: str, key: str | None, values: tuple[str, ...]) -> None:
    inf = Inf.parse(f"{HEAD}[Strings]\nS=text\n[Section]\n{line}\n".encode())
    assert [(one.key, one.values) for one in inf.sections["sEcTiOn"]] == [(key, values)]


@pytest.mark.parametrize(("text", "message"), [
    ("", "card.inf: there is no [Version] section; begin with [Version] and write Signature=\"$WINDOWS NT$\""),
    ("[Version]\n",               'card.inf: [Version] has no Signature; write Signature="$WINDOWS NT$"'),
    ("[Version]\nSignature=x\n",  "card.inf:2: Signature is 'x'; write Signature=\"$WINDOWS NT$\""),
    ("a=b",                       "card.inf:1: a=b stands before every section; begin with [Version]"),
    ("\n[a",                      "card.inf:2: section name [a has no closing ]; write [name]"),
    ("[ ]",                       "card.inf:1: a section without a name; write [name]"),
    ("[a] b",                     "card.inf:1: b follows a section name; move it to a line of its own"),
    ('[a]\n  b="c',               'card.inf:2: the quote in column 5 is not closed; close it, or write "" for a quote'),
    ("[a]\n=b",                   "card.inf:2: nothing stands before =; write key = value"),
    ("[a]\nb=%c d%", "card.inf:2: %c d% is not defined; define it in [Strings], or write %% for a percent sign"),
    ("[a]\nb \\",                 "card.inf:2: is continued by \\ at the end of the file; remove the \\ or add the rest"),
    ("[a]\nb\0",
     "card.inf:2: holds a NUL character; save the file as text: UTF-8, or UTF-16 with a byte order mark"),
    (HEAD + "[Manufacturer]\nm=M,amd64",
     "card.inf:4: 'amd64' is no TargetOSVersion; write NTamd64, or NTamd64.10.0...16299 for a least build"),
    (HEAD + "[Manufacturer]\nm=M,NTamd64.ten",
                                  "card.inf:4: 'NTamd64.ten': major 'ten' is no number; write it in decimal or as 0x…"),
])  # fmt: skip
def test_what_is_no_inf_syntax_is_told_by_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Inf.parse(text.encode(), source="card.inf")


@pytest.mark.parametrize(("line", "message"), [
    ("HKX,,a,,b",           "'HKX' is no root key; begin with HKR, HKLM, HKCR, HKCU or HKU"),
    ("HKR,,a,some,b",       "flags 'some' is no number; write it in decimal or as 0x…"),
    ("HKR,,a,0x100000000,", "flags 0x100000000 do not fit 32 bits; see FLG_ADDREG_… for the values"),
    ("HKR,,a,1,0f,100",     "'100' is no byte; write 0 to ff, in hexadecimal"),
    ("HKR,,a,0x10001,one",  "REG_DWORD 'one' is no number; write it in decimal or as 0x…"),
    ("HKR,,a,0x10001,4294967296", "REG_DWORD 0x100000000 does not fit 4 bytes; write a smaller number"),
    ("HKR,,a,0x10001,1,2",  "REG_DWORD has 2 fields; write one number, or its 4 bytes"),
])  # fmt: skip
def test_a_wrong_addreg_line_is_told_when_it_is_used(line: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^card.inf:12: {re.escape(message)}$"):
        added("HKR,,fine,,x", line)


@pytest.mark.parametrize(("lines", "data"), [
    (["HKR,,v,,text"],                              RegistryValue("REG_SZ", "text")),
    (["HKR,,v"],                                    RegistryValue("REG_SZ", "")),
    (["HKR,,v,0x10000,a,b"],                        RegistryValue("REG_MULTI_SZ", ("a", "b"))),
    (["HKR,,v,0x10000,a", "HKR,,v,0x10008,b"],      RegistryValue("REG_MULTI_SZ", ("a", "b"))),
    (["HKR,,v,0x20000,%%x%%"],                      RegistryValue("REG_EXPAND_SZ", "%x%")),
    (["HKR,,v,0x00010001,010"],                     RegistryValue("REG_DWORD", 10)),
    (["HKR,,v,0x00010001,-1"],                      RegistryValue("REG_DWORD", 0xFFFF_FFFF)),
    (["HKR,,v,65537,0x10"],                         RegistryValue("REG_DWORD", 16)),
    (["HKR,,v,0x00010001,10,0,0,80"],               RegistryValue("REG_DWORD", 0x8000_0010)),
    (["HKR,,v,0xB0001,0xFFFFFFFFFFFFFFFF"],         RegistryValue("REG_QWORD", (1 << 64) - 1)),
    (["HKR,,v,0xb0001,1,2,3,4,5,6,7,8"],            RegistryValue("REG_QWORD", 0x0807060504030201)),
    (["HKR,,v,1,0f,1"],                             RegistryValue("REG_BINARY", b"\x0f\x01")),
    (["HKR,,v,1"],                                  RegistryValue("REG_BINARY", b"")),
    (["HKR,,v,,a", "HKR,,v,2,b"],                   RegistryValue("REG_SZ", "a")),                   # NOCLOBBER
    (["HKR,,v,,a", "HKR,,V,,b"],                    RegistryValue("REG_SZ", "b")),
    (["HKR,,v,,a", "HKR,,v,0x20,b"],                RegistryValue("REG_SZ", "b")),                   # OVERWRITEONLY
    (["HKR,,v,0x20,b"],                             None),
    (["HKR,,v,,a", "HKR,,v,4"],                     None),                                           # DELVAL
    (["HKLM,,v,,a"],                                None),
])  # fmt: skip
def test_addreg_flags_make_the_value(lines: list[str], data: RegistryValue | None) -> None:
    values = {name.casefold(): value for name, value in added(*lines).items()}
    assert values.get("v") == data


def test_delreg_runs_before_addreg_and_needs_before_both() -> None:
    text = HEAD + (
        "[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I," + IDS[2] + "\n[I]\n[I.HW]\nInclude=machine.inf\nNeeds=Base,Elsewhere\n"
        "AddReg=A\nDelReg=D\n[Base]\nAddReg=B\n[B]\nHKR,K,old,,1\nHKR,K2,stays,,1\n[A]\nHKR,K,new,,1\n[D]\nHKR,K\n"
    )
    found = install(text)
    assert found is not None
    assert sorted(found.registry) == [r"K2\stays", r"K\new"]
    assert found.notes == ("[I.HW] needs [Elsewhere] of another INF, which was not read",)


@pytest.mark.parametrize(("decorations", "windows", "expected"), [
    (["NTamd64"],                                                  "10", "NTamd64"),
    (["ntAMD64", "NTx86"],                                         "11", "ntAMD64"),
    (["NTamd64", "NTamd64.6.1", "NTamd64.10.0"],                   "10", "NTamd64.10.0"),
    (["NTamd64.10.0...16299", "NTamd64.10.0"],                     "10", "NTamd64.10.0...16299"),
    (["NTamd64.10.0...16299", "NTamd64.10.0...22000"],             "10", "NTamd64.10.0...16299"),
    (["NTamd64.10.0...16299", "NTamd64.10.0...22000"],             "11", "NTamd64.10.0...22000"),
    (["NTamd64", "NTamd64.10.0.1"],                                "11", "NTamd64.10.0.1"),
    (["NTamd64", "NTamd64.10.0.3"],                                "11", "NTamd64"),              # 3: a server
    (["NTamd64", "NTamd64.11.0"],                                  "11", "NTamd64"),
    (["NTamd64.0xA.0"],                                            "11", "NTamd64.0xA.0"),
    (["NTarm64"],                                                  "11", None),
    (["NT"],                                                       "11", None),
    ([],                                                           "11", None),
])  # fmt: skip
def test_the_most_specific_decoration_of_this_windows_wins(decorations: list[str], windows: str, expected: str | None) -> None:
    sections = [f"[M.{d}]\nc=I{i},{IDS[2]}\n[I{i}]\n" for i, d in enumerate(decorations)]
    text = f"{HEAD}[Manufacturer]\n{','.join(['m=M', *decorations])}\n[M]\nc=Plain,{IDS[2]}\n[Plain]\n" + "".join(sections)
    found = install(text, windows=windows)
    assert (found and found.section) == (f"I{decorations.index(expected)}" if expected else None)


def test_the_most_specific_hardware_id_wins_and_case_does_not_count() -> None:
    models = f"a=A,{IDS[2].lower()}\nb=B,{IDS[0].lower()}\nc=C,{IDS[1]}\n"
    found = install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\n{models}[A]\n[B]\n[C]\n")
    assert found is not None
    assert found.section == "B"


def test_a_hardware_id_of_the_inf_wins_over_a_compatible_id_of_the_inf() -> None:
    models = f"a=A,PCI\\OTHER,{IDS[2]}\nb=B,{IDS[2]}\n"
    found = install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\n{models}[A]\n[B]\n")
    assert found is not None
    assert found.section == "B"


@pytest.mark.parametrize(("present", "chosen"), [("I", "I"), ("I.NT,I", "I.NT"), ("I,I.NT,I.ntamd64", "I.NTamd64")])
def test_the_install_section_is_searched_from_ntamd64_to_plain(present: str, chosen: str) -> None:
    sections = "".join(f"[{name}]\n" for name in present.split(","))
    found = install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I,{IDS[2]}\n{sections}")
    assert found is not None
    assert found.section == chosen


@pytest.mark.parametrize(
    ("rest", "note"),
    [
        (f"[I.NT]\n[I.HW]\nAddReg=A\n[A]\n{MSI}", "[I.HW] has no effect: Windows installs [I.NT] and so reads [I.NT.HW]"),
        (
            f"[I]\nAddReg=A\n[A]\n{MSI}",
            "[I] writes Interrupt Management to the software key, where nobody reads it; move it to [I.HW]",
        ),
    ],
)
def test_a_driver_without_its_messages_is_told_why(rest: str, note: str) -> None:
    found = install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I,{IDS[2]}\n{rest}")
    assert found is not None
    assert (len(found.registry), found.notes) == (0, (note,))


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("[M.NTamd64]\nc=I,PCI\\OTHER", f"card.inf: no model names {IDS[0]} or its compatible ids; add it to a models section"),
        (
            f"[M]\nc=I,{IDS[2]}",
            "card.inf: [M] names the device and is not for Windows 11 on amd64; decorate it in [Manufacturer] with NTamd64",
        ),
    ],
)
def test_a_device_that_no_model_names_is_told_why(models: str, why: str) -> None:
    inf = Inf.parse(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n{models}\n".encode(), source="card.inf")
    assert inf.match(IDS) is None
    assert inf.why_not(IDS) == why


def test_an_install_section_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^card.inf:6: there is no section \[I\]; add \[I.NTamd64\]$"):
        install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I,{IDS[2]}\n")


def test_an_addreg_section_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^card.inf:9: there is no section \[A\]; add it, or drop it from addreg$"):
        install(f"{HEAD}[Manufacturer]\nm=M,NTamd64\n[M.NTamd64]\nc=I,{IDS[2]}\n[I]\n[I.HW]\nAddReg=A\n")


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.inf: No such file or directory; name a readable INF file$"):
        Inf.load(tmp_path / "none.inf")
    with pytest.raises(InputError, match=r"Is a directory; name a readable INF file$"):
        Inf.load(tmp_path)


def test_a_file_past_1_mib_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.inf"
    path.write_bytes(b";" * ((1 << 20) + 1))
    with pytest.raises(
        InputError, match=r"large.inf: is 0x100001 bytes long; an INF file has at most 0x100000; name an INF file$"
    ):
        Inf.load(path)


def test_strings_cannot_grow_without_bound() -> None:
    text = "[Strings]\ns=" + "x" * 5000 + "\n[a]\nb=" + "%s%" * 300
    with pytest.raises(InputError, match=r"^card.inf:4: the %strings% grow to more than 0x100000 characters; shorten them$"):
        Inf.parse(text.encode(), source="card.inf")


def test_an_unknown_windows_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^windows = '7' is not known; it is one of 10, 11$"):
        Inf.parse(HEAD.encode(), windows="7")


PIECES = st.sampled_from(
    ["[Version]", "[Manufacturer]", "[M.NTamd64]", "[I.HW]", "[I]", "[A]", "[Strings]", "\n", "\r\n", "\\\n", ";", '"', "%",
     "%s%", "=", ",", " ", "Signature", '"$WINDOWS NT$"', "m=M,NTamd64", f"c=I,{IDS[2]}", "AddReg=A", "Needs=I.HW", "HKR,,v,",
     "0x10001", "0x1", "s=t", "\0", "\x1a", "\u2028", "é"]
)  # fmt: skip


@settings(max_examples=25)
@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)), st.sampled_from(["", HEAD]))
def test_any_text_is_an_inf_or_an_input_error(text: str, before: str) -> None:
    try:
        Inf.parse((before + text).encode("utf-8", "surrogatepass")).match(IDS)
    except InputError as problem:
        assert str(problem).startswith("<inf>")
        assert "\n" not in str(problem)


@given(st.binary(max_size=200), st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE]))
def test_any_bytes_are_an_inf_or_an_input_error(data: bytes, mark: bytes) -> None:
    try:
        Inf.parse(mark + data)
    except InputError as problem:
        assert "\n" not in str(problem)
