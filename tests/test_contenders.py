"""The manifest: what it takes, what it refuses, and who is there."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.case import METHODS
from harness.errors import ManifestError
from harness.measure import runner
from harness.measure.contenders import Contender, build, fingerprint, load_manifest, probe, relink, select
from harness.measure.contract import arguments
from tests import fakes

GOOD = """
[[contender]]
name = "a"
command = ["{python}", "a.py"]
version = ["{python}", "-V"]
methods = ["naive"]
"""
NAMES = "takes printable characters without / and \\, the first none of = + - @ and no space"


def refusal(folder: Path, text: str | bytes) -> str:
    """Return why a manifest is refused, without the path before it."""
    path = folder / "contenders.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_manifest_with_everything(tmp_path: Path) -> None:
    path = tmp_path / "contenders.toml"
    everything = (
        GOOD
        + GOOD.replace('"a"', '"b"')
        + 'build = ["make", "{python}"]\ntoolchain = ["cc", "-v"]\nthreads = 2\ntolerance = 1e-12\n'
        + 'env = { A = "b" }\nrelink = ["ld", "{python}", "{seed}"]\n'
    )
    path.write_text('reference = "b"\n' + everything, encoding="utf-8")
    loaded = load_manifest(path)
    assert [contender.name for contender in loaded] == ["b", "a"]
    assert loaded[0] == Contender(
        name="b",
        command=(sys.executable, "a.py"),
        version=(sys.executable, "-V"),
        methods=("naive",),
        build=("make", sys.executable),
        relink=("ld", sys.executable, "{seed}"),
        toolchain=("cc", "-v"),
        threads=2,
        tolerance=1e-12,
        env={"A": "b"},
    )
    # If none is named the first is the reference.
    path.write_text(everything, encoding="utf-8")
    assert load_manifest(path)[0].name == "a"


def test_threads_stand_on_the_command_line_only_where_there_are_several() -> None:
    one = fakes.contender()
    assert one.command_line(fakes.case()) == [*one.command, *arguments(fakes.case())]
    two = replace(one, threads=2)
    assert two.command_line(fakes.case()) == [*one.command, "--threads=2", *arguments(fakes.case())]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no [[contender]]"),
        ("contender = []", "has no [[contender]]"),
        ('contender = "a"', "contender: got 'a', takes a list"),
        ("contender = [1]", "contender[0]: got 1, takes a table"),
        ("colour = 1\n" + GOOD, "unknown key 'colour', takes reference, contender"),
        (
            GOOD + 'colour = "red"\n',
            "contender 'a': unknown key 'colour', takes name, command, version, methods, build, relink,"
            " toolchain, threads, tolerance, env, hint, extra_epochs",
        ),
        (GOOD + "extra_epochs = 1.5\n", "contender 'a': extra_epochs is 1.5, takes a share from 0 to 1"),
        (GOOD.replace("name", "# name"), "contender[0]: has no 'name'"),
        *(
            (GOOD.replace(key, f"# {key}"), f"contender 'a': has no '{key}'")
            for key in ("command", "version", "methods")
        ),
        (GOOD + GOOD, "'a' is there twice; rename one"),
        ('reference = "z"\n' + GOOD, "reference is 'z', takes one of a"),
        ("reference = 3\n" + GOOD, "reference: got 3, takes a text"),
        (GOOD.replace('"a"', "1"), "contender[0].name: got 1, takes a text"),
        (GOOD.replace('"a"', '""'), f"contender '': name is '', {NAMES}"),
        (GOOD.replace('"a"', '"a\\nb"'), f"contender 'a\\nb': name is 'a\\nb', {NAMES}"),
        (GOOD.replace('["naive"]', '"naive"'), "contender 'a'.methods: got 'naive', takes a list"),
        (
            GOOD.replace('["naive"]', "[]"),
            "contender 'a': methods is (), takes some of naive, incremental, backprop",
        ),
        (
            GOOD.replace('["naive"]', '["naive", "magic"]'),
            "contender 'a': methods is ('naive', 'magic'), takes some of naive, incremental, backprop",
        ),
        (GOOD.replace('["{python}", "a.py"]', '"./a"'), "contender 'a'.command: got './a', takes a list"),
        (GOOD.replace('"a.py"', "1"), "contender 'a'.command[1]: got 1, takes a text"),
        (GOOD.replace("a.py", "a\\u0000.py"), "contender 'a'.command[1]: got 'a\\x00.py', takes a text"),
        (GOOD + "threads = 0\n", "contender 'a': threads is 0, takes an integer of at least 1"),
        (GOOD + "threads = true\n", "contender 'a'.threads: got True, takes an integer"),
        (GOOD + "tolerance = -1\n", "contender 'a': tolerance is -1.0, takes a number from 0 to below 1"),
        (GOOD + "tolerance = 1\n", "contender 'a': tolerance is 1.0, takes a number from 0 to below 1"),
        (GOOD + 'env = { "A=B" = "c" }\n', "contender 'a': env is {'A=B': 'c'}, takes names of variables"),
        (GOOD + "env = { A = 1 }\n", "contender 'a'.env.A: got 1, takes a text"),
    ],
)
def test_a_wrong_manifest_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize("text", ["[[contender]\n", "a = 1\na = 2\n", b"\xff\xfe"])
def test_not_toml(tmp_path: Path, text: str | bytes) -> None:
    assert refusal(tmp_path, text).startswith("cannot be read: ")


@pytest.mark.parametrize(("name", "why"), [("no.toml", "No such file or directory"), ("", "Is a directory")])
def test_an_unreadable_manifest(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: cannot be read: {why}"


def test_the_manifest_that_is_shipped() -> None:
    shipped = load_manifest()
    assert len(shipped) >= 2
    assert all(contender.methods == METHODS for contender in shipped)
    assert all(contender.tolerance == 0.0 for contender in shipped)


def test_select_keeps_the_order_of_the_manifest_and_refuses_a_stranger() -> None:
    three = tuple(map(fakes.contender, "abc"))
    assert select(three, []) == three
    assert [one.name for one in select(three, ["c", "a", "c"])] == ["a", "c"]
    assert [one.name for one in select(three, ["c", "b"])] == ["b", "c"]
    with pytest.raises(ManifestError, match=r"^contender: got 'z', takes a, b, c$"):
        select(three, ["a", "z"])


def with_version(name: str, *version: str, build: tuple[str, ...] = ()) -> Contender:
    return Contender(name=name, command=("x",), version=version, methods=METHODS, build=build)


def test_probe_tells_who_is_there_and_why_the_others_are_not() -> None:
    fails = ("-I", "-S", "-c", "import sys; print('no', file=sys.stderr); sys.exit('broken: x')")
    versions, missing = probe(
        [
            with_version("good", sys.executable, "-c", "print('good 1'); print('more')"),
            with_version("mute", sys.executable, "-c", ""),
            # A cell of more than 131072 characters would make runs.csv unreadable to the csv module.
            with_version("endless", sys.executable, "-c", "print('v' * 1000000)"),
            with_version("loud", sys.executable, "-c", r"print('\x1b[2J\x9b v1')"),
            with_version("absent", "/nowhere/absent", build=("make", "absent")),
            with_version("broken", sys.executable, *fails),
            with_version("silent", "false"),
        ]
    )
    assert versions == {"good": "good 1", "mute": "", "endless": "v" * 200, "loud": r"\x1b[2J\x9b v1"}
    assert missing == {
        "absent": "/nowhere/absent: cannot be started: No such file or directory; to have it: make absent",
        "broken": f"{' '.join((sys.executable, *fails))}: exit status 1: broken: x",
        "silent": "false: exit status 1",
    }


def test_a_version_command_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_PROBE_TIMEOUT_S", 0.05)
    _, missing = probe([with_version("a", "sleep", "1000")])
    assert missing == {"a": "sleep 1000: ended after 0.05 s"}


def test_a_build_removes_the_old_program_first_but_no_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.measure.contenders.ROOT", tmp_path)
    names = ("program", "run.sh")
    for name in names:
        (tmp_path / name).touch()
    assert build([replace(fakes.contender(name), command=(name,), build=("true",)) for name in names]) == []
    assert [path.name for path in tmp_path.iterdir()] == ["run.sh"]


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", "=1+1", "+a", "-a", "@a", " ", "x" * 61, "\u202ea"])
def test_names_that_are_paths_or_formulas(tmp_path: Path, name: str) -> None:
    assert "name is " in refusal(tmp_path, GOOD.replace('"a"', json.dumps(name)))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_manifest_with_bytes_changed_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    text = bytearray((GOOD + 'threads = 2\nbuild = ["make"]\n').encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"[", b'"', b"9" * 5000, b"\0", b"\xff", b"1e999", b"nan", b"[[" * 2000])
        )
        text[place : place + data.draw(st.integers(0, 20))] = piece
    path = tmp_path / "contenders.toml"
    path.write_bytes(bytes(text))
    try:
        load_manifest(path)
    except ManifestError as error:
        assert "\n" not in str(error)


def linked(path: Path, script: str) -> Contender:
    """Return a program that a script, which has the seed as $1, links in the folder."""
    words = ("sh", "-ec", f"cd {path}; {script}", "sh", "{seed}")
    return replace(fakes.contender(), command=(str(path / "program"),), relink=words)


def test_a_program_is_linked_as_often_as_asked_for(tmp_path: Path) -> None:
    for old in (1, 9):
        (tmp_path / f"program.layout-{old}").write_text("old")
    one = linked(tmp_path, "echo link $1 >program")
    assert relink([one, replace(one, name="copy"), fakes.contender("b")], 3) == []
    # What is left of an earlier time, or was for more layouts, is gone.
    assert {path.name: path.read_text() for path in tmp_path.glob("program.*")} == {
        f"program.layout-{seed}": f"link {seed}\n" for seed in (1, 2, 3)
    }
    # With one layout there is nothing to do: a build makes the usual link.
    (tmp_path / "program").unlink()
    assert relink([one], 1) == []
    assert not (tmp_path / "program").exists()


def test_why_a_program_cannot_be_linked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "program.layout-2").write_text("old")
    one = linked(tmp_path, "echo first >&2; echo 'no \x1b[31mlld' >&2; exit 1")
    (line,) = relink([one], 2)
    assert line.startswith("fake cannot be linked in several layouts: no ")
    assert "\x1b" not in line and "first" not in line
    assert list(tmp_path.iterdir()) == []
    # Or in some of them only.
    assert relink([linked(tmp_path, "test $1 != 2; echo link $1 >program")], 3) != []
    assert [path.name for path in tmp_path.iterdir()] == ["program"]
    (line,) = relink([replace(one, relink=("/nowhere/ld",))], 2)
    assert line.startswith(
        "fake cannot be linked in several layouts: /nowhere/ld: No such file or directory;"
    )


def test_a_program_is_known_by_what_runs(tmp_path: Path) -> None:
    """By the built file; by all sources of its kind beside a script, and nothing else."""
    for name, text in (("main.py", "1"), ("network.py", "2"), ("program", "3"), ("notes.txt", "4")):
        (tmp_path / name).write_text(text)
    script = replace(fakes.contender(), command=(sys.executable, str(tmp_path / "main.py")))
    binary = replace(script, command=(str(tmp_path / "program"), "main.py"))
    found = fingerprint(script), fingerprint(binary)
    assert found[0] != found[1]
    (tmp_path / "notes.txt").write_text("other")
    assert (fingerprint(script), fingerprint(binary)) == found
    (tmp_path / "network.py").write_text("other")
    assert fingerprint(script) != found[0]
    (tmp_path / "program").write_text("other")
    assert fingerprint(binary) != found[1]


def test_a_version_is_no_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ask", lambda _: ("=cmd|' /C calc'!A0 \x1b[31m", ""))
    assert probe([fakes.contender()]) == ({"fake": "cmd|' /C calc'!A0 \\x1b[31m"}, {})
