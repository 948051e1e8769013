"""Where the headers of a WDK are found, in made-up trees of the shapes that there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.build import BuildError, build_driver
from dirql.build.wdk import include_directories

NTDDK = "typedef long NTSTATUS;\n#include <basis.h>\n#include <crt_only.h>\n"
DRIVER = """
#include <ntddk.h>
#include <wdf.h>
NTSTATUS DriverEntry(void *d, void *r);
NTSTATUS DriverEntry(void *d, void *r) { return BASIS + ONLY + FRAMEWORK + !d + !r; }
"""

# Where the kit is, what is given of it, and what is found there: km, shared, km/crt and KMDF.
VERSIONED, FLAT, INSIDE = "Include/10.0.26100.0", "Include", "Include/10.0.22621.0"
SHAPES = {
    "one version, KMDF beside it": (VERSIONED, "Include/wdf/kmdf", VERSIONED),
    "one version, KMDF in it": (INSIDE, f"{INSIDE}/wdf/kmdf", INSIDE),
    "one version, KMDF in it without wdf": (INSIDE, f"{INSIDE}/kmdf", INSIDE),
    "Include with versions in it": (VERSIONED, "Include/wdf/kmdf", "Include"),
    "the kit's folder": (VERSIONED, "Include/wdf/kmdf", "."),
    "Include without a version": (FLAT, "Include/wdf/kmdf", "Include"),
    "Include without a version, KMDF beside it": (FLAT, "wdf/kmdf", "Include"),
    "the folder of an Include without a version": (FLAT, "Include/wdf/kmdf", "."),
}


def kit(root: Path, version: str, framework: str, minors: tuple[int, ...] = (33,)) -> Path:
    """A WDK of five headers."""
    files = {
        f"{version}/km/ntddk.h": NTDDK,
        f"{version}/shared/basis.h": "#define BASIS 1\n",
        f"{version}/km/crt/crt_only.h": "#define ONLY 2\n",
        **{f"{framework}/1.{minor}/wdf.h": f"#define FRAMEWORK {minor}\n" for minor in minors},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


@pytest.mark.parametrize("shape", SHAPES)
def test_km_shared_crt_and_kmdf_are_found(tmp_path: Path, shape: str) -> None:
    version, framework, given = SHAPES[shape]
    root = kit(tmp_path, version, framework)
    expected = [f"{version}/km", f"{version}/shared", f"{version}/km/crt", f"{framework}/1.33"]
    assert include_directories([root / given], "33", []) == [root / one for one in expected]


@pytest.mark.parametrize("given", [VERSIONED, "."])
def test_a_driver_builds_with_them(tmp_path: Path, sources: Callable[..., Path], given: str) -> None:
    root = kit(tmp_path / "wdk", VERSIONED, "Include/wdf/kmdf")
    built = build_driver(sources(card_c=DRIVER), headers=[root / given])
    assert (built.diagnostics, built.image.name) == ("", "card.sys")


def test_the_newest_of_several_versions_is_taken(tmp_path: Path) -> None:
    for version in ("10.0.9.0", "10.0.26100.0", "10.0.22621.0", "10.0.99999.0/um", "notes"):
        kit(tmp_path, f"Include/{version}", "Include/wdf/kmdf")
    assert include_directories([tmp_path], "33", [])[0] == tmp_path / "Include/10.0.26100.0/km"


def test_the_version_of_kmdf_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    root = kit(tmp_path, VERSIONED, "Include/wdf/kmdf", (9, 15, 33))
    assert include_directories([root], "15", [])[-1] == root / "Include/wdf/kmdf/1.15"


@pytest.mark.parametrize(
    ("minors", "remedy"),
    [
        ((9, 31, 15), "it has 1.9, 1.15, 1.31: choose with -D KMDF_VERSION_MINOR=N"),
        ((), "it has no KMDF at all: give the whole WDK"),
    ],
)
def test_a_kmdf_that_is_not_there_is_refused_where_a_source_wants_it(
    tmp_path: Path, sources: Callable[..., Path], minors: tuple[int, ...], remedy: str
) -> None:
    root = kit(tmp_path / "wdk", VERSIONED, "Include/wdf/kmdf", minors)
    with pytest.raises(BuildError) as problem:
        build_driver(sources(card_c=DRIVER), headers=[root])
    missing = "card.c includes wdf.h, and no wdf/kmdf/1.33/wdf.h is there"
    assert str(problem.value) == f"--headers {root}: {missing}; {remedy}"


def test_a_wdm_driver_needs_no_kmdf(tmp_path: Path, sources: Callable[..., Path]) -> None:
    root = kit(tmp_path / "wdk", VERSIONED, "Include/wdf/kmdf", ())
    source = sources(card_c="#include <ntddk.h>\n") / "card.c"
    assert len(include_directories([root], "33", [source])) == 3


@pytest.mark.parametrize("name", ["card.h", "card/registers.h"])
def test_any_other_directory_with_headers_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("", "utf-8")
    assert include_directories([tmp_path], "33", []) == [tmp_path]


def test_a_directory_without_headers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as problem:
        include_directories([tmp_path], "33", [])
    remedy = "give the WDK's Include/10.0.NNNNN.0"
    assert str(problem.value) == f"--headers {tmp_path}: no km, no 10.0.NNNNN.0 and no header in it; {remedy}"
