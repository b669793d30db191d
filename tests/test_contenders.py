"""The manifest: what it takes, what it refuses, and who is there."""

import sys
from pathlib import Path

import pytest

from harness import contenders
from harness.contenders import Contender, Manifest, load_manifest, probe, select
from harness.contract import METHODS
from harness.errors import ManifestError
from tests import fakes

GOOD = """
[[contender]]
name = "a"
command = ["{python}", "a.py"]
version = ["{python}", "-V"]
methods = ["naive"]
"""


def refusal(folder: Path, text: str | bytes) -> str:
    """Return why a manifest is refused, without the path before it."""
    path = folder / "contenders.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert caught.value.exit_status == 2
    return message.removeprefix(f"{path}: ")


def test_a_manifest_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "contenders.toml"
    path.write_text(
        'reference = "b"\n'
        + GOOD
        + GOOD.replace('"a"', '"b"')
        + 'build = ["make", "{python}"]\ntoolchain = ["cc", "-v"]\nthreads = 2\ntolerance_ulp = 3\n',
        encoding="utf-8",
    )
    manifest = load_manifest(path)
    assert manifest.reference == "b"
    assert [contender.name for contender in manifest.contenders] == ["b", "a"]
    assert manifest.contenders[0] == Contender(
        name="b",
        command=(sys.executable, "a.py"),
        version=(sys.executable, "-V"),
        methods=("naive",),
        build=("make", sys.executable),
        toolchain=("cc", "-v"),
        threads=2,
        tolerance_ulp=3,
    )


def test_the_first_contender_is_the_reference_where_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "contenders.toml"
    path.write_text(GOOD + GOOD.replace('"a"', '"b"'), encoding="utf-8")
    assert load_manifest(path).reference == "a"


def test_threads_stand_on_the_command_line_only_where_there_are_several() -> None:
    one = fakes.contender()
    assert one.command_line(fakes.case()) == [*one.command, *fakes.case().arguments()]
    two = Contender(name="t", command=("t",), version=("t",), methods=METHODS, threads=2)
    assert two.command_line(fakes.case()) == ["t", "--threads=2", *fakes.case().arguments()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no [[contender]]"),
        ("contender = []", "has no [[contender]]"),
        ('contender = "a"', "has no [[contender]]"),
        ("contender = [1]", "contender 1: is not a table"),
        ("colour = 1\n" + GOOD, "unknown key 'colour', takes reference and [[contender]]"),
        (
            GOOD + 'colour = "red"\n',
            "contender 'a': unknown key 'colour', takes name, command, version, methods, build, toolchain,"
            " threads, tolerance_ulp",
        ),
        (GOOD.replace('command = ["{python}", "a.py"]', ""), "contender 'a': has no 'command'"),
        (GOOD.replace('name = "a"', ""), "contender 1: has no 'name'"),
        (GOOD.replace('version = ["{python}", "-V"]', ""), "contender 'a': has no 'version'"),
        (GOOD.replace('methods = ["naive"]', ""), "contender 'a': has no 'methods'"),
        (GOOD + GOOD, "two contenders have the name 'a'; give each its own"),
        ('reference = "z"\n' + GOOD, "reference is 'z', takes one of a"),
        ("reference = 3\n" + GOOD, "reference is 3, takes one of a"),
        ("reference = []\n" + GOOD, "reference is [], takes one of a"),
        (GOOD.replace('"a"', "1"), "contender 1: name is 1, takes a printable text"),
        (GOOD.replace('"a"', '""'), "contender '': name is '', takes a printable text"),
        (GOOD.replace('"a"', '"a\\nb"'), "contender 'a\\nb': name is 'a\\nb', takes a printable text"),
        (GOOD.replace('["naive"]', '"naive"'), "contender 'a': methods is 'naive', takes a list of words"),
        (GOOD.replace('["naive"]', "[]"), "contender 'a': methods is [], takes a list of words"),
        (
            GOOD.replace('["naive"]', '["naive", "magic"]'),
            "contender 'a': method 'magic', takes naive, incremental, backprop",
        ),
        (
            GOOD.replace('["{python}", "a.py"]', '"./a"'),
            "contender 'a': command is './a', takes a list of words",
        ),
        (
            GOOD.replace('["{python}", "a.py"]', '["./a", 1]'),
            "contender 'a': command is ['./a', 1], takes a list of words",
        ),
        (
            GOOD.replace("a.py", "a\\u0000.py"),
            "contender 'a': command is ['{python}', 'a\\x00.py'], takes a list of words",
        ),
        (GOOD + "build = []\n", "contender 'a': build is [], takes a list of words"),
        (GOOD + 'toolchain = "cc"\n', "contender 'a': toolchain is 'cc', takes a list of words"),
        (GOOD + "threads = 0\n", "contender 'a': threads is 0, takes an integer of at least 1"),
        (GOOD + "threads = true\n", "contender 'a': threads is True, takes an integer of at least 1"),
        (GOOD + "threads = 1.5\n", "contender 'a': threads is 1.5, takes an integer of at least 1"),
        (GOOD + "tolerance_ulp = -1\n", "contender 'a': tolerance_ulp is -1, takes an integer of at least 0"),
    ],
)
def test_a_wrong_manifest_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize("text", ["[[contender]\n", "a = 1\na = 2\n", b"\xff\xfe"])
def test_not_toml(tmp_path: Path, text: str | bytes) -> None:
    assert refusal(tmp_path, text).startswith("is not TOML: ")


def test_an_unreadable_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path / "none.toml")
    assert str(caught.value) == f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"
    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_the_manifest_that_is_shipped() -> None:
    manifest = load_manifest()
    assert manifest.contenders[0].name == manifest.reference
    assert len(manifest.contenders) >= 2
    assert all(contender.methods == METHODS for contender in manifest.contenders)
    assert all(contender.tolerance_ulp == 0 for contender in manifest.contenders)


def three() -> Manifest:
    return Manifest(reference="a", contenders=tuple(fakes.contender(name) for name in "abc"))


def test_select_keeps_the_order_of_the_manifest() -> None:
    assert select(three(), []) == three()
    chosen = select(three(), ["c", "a", "c"])
    assert ([c.name for c in chosen.contenders], chosen.reference) == (["a", "c"], "a")
    without = select(three(), ["c", "b"])
    assert ([c.name for c in without.contenders], without.reference) == (["b", "c"], "b")


def test_select_refuses_a_stranger() -> None:
    with pytest.raises(ManifestError, match=r"^contender: got 'z', takes a, b, c$"):
        select(three(), ["a", "z"])


def with_version(name: str, *version: str, build: tuple[str, ...] = ()) -> Contender:
    return Contender(name=name, command=("x",), version=version, methods=METHODS, build=build)


def test_probe_tells_who_is_there_and_why_the_others_are_not() -> None:
    fails = ("-I", "-S", "-c", "import sys; print('no', file=sys.stderr); sys.exit('broken: x')")
    lineup = probe(
        Manifest(
            reference="good",
            contenders=(
                with_version("good", sys.executable, "-c", "print('good 1'); print('more')"),
                with_version("mute", sys.executable, "-c", ""),
                with_version("absent", "/nowhere/absent", build=("make", "absent")),
                with_version("broken", sys.executable, *fails),
                with_version("silent", "false"),
            ),
        )
    )
    assert [contender.name for contender in lineup.present] == ["good", "mute"]
    assert lineup.versions == {"good": "good 1", "mute": ""}
    assert lineup.missing == {
        "absent": "/nowhere/absent: No such file or directory; build it with: make absent",
        "broken": f"{' '.join((sys.executable, *fails))}: exit status 1: broken: x",
        "silent": "false: exit status 1",
    }


def test_a_version_command_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "_PROBE_TIMEOUT_S", 0.05)
    lineup = probe(Manifest(reference="a", contenders=(with_version("a", "sleep", "1000"),)))
    assert lineup.missing == {"a": "sleep 1000: no answer within 0 s"}


def test_a_version_of_endless_length_is_cut() -> None:
    # A cell of more than 131072 characters would make runs.csv unreadable to the csv module.
    version, reason = contenders.first_line((sys.executable, "-I", "-S", "-c", "print('v' * 1000000)"))
    assert (version, reason) == ("v" * 200, None)
