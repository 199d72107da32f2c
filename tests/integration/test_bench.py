"""The benches start, and the picture shows what it was given."""

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from helpers.paths import ROOT

sys.path.insert(0, str(ROOT))

from bench import measure, picture, stage
from bench.rows import NAME, Bench

DECADES = ["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    picture.Row("native", [0.5, 0.7, 0.6], "a"),
    picture.Row("kill -9 & <more>", [2.0, 3.0, 2.5, 40.0]),
    picture.Row("pgrep", [900.0, 3200.0], "c"),
]


@pytest.fixture
def svg() -> ET.Element:
    text = picture.draw(ROWS, "From a failure to FAULT", "one run")
    assert len(text) < 20_000
    return ET.fromstring(text)


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def paths(svg: ET.Element, kind: str) -> list[str]:
    every = svg.iter(f"{SVG}path")
    return [path.attrib["d"] for path in every if path.attrib["class"].split()[0] == kind]


def test_the_picture_names_every_row_and_its_median(svg: ET.Element) -> None:
    shown = texts(svg)

    assert {row.name for row in ROWS} <= {*shown}
    assert {"0.6 ms", "2.8 ms", "2 s"} <= {*shown}
    assert svg.findtext(f"{SVG}title") == "From a failure to FAULT"


def test_the_picture_has_a_dot_for_each_time(svg: ET.Element) -> None:
    dots = [path.count("M") for path in paths(svg, "dots")]

    assert dots == [3, 4, 2]


def test_the_axis_has_every_decade_and_time_goes_to_the_right(svg: ET.Element) -> None:
    assert [text for text in texts(svg) if text in DECADES] == DECADES
    medians = [float(path[1:].split()[0]) for path in paths(svg, "median")]
    assert medians == sorted(medians)
    assert all(picture.LEFT <= x <= picture.RIGHT for x in medians)


def test_the_committed_picture_is_one_of_them() -> None:
    text = (ROOT / "docs/failover.svg").read_text()

    assert len(text) <= 20_000
    assert "prefers-color-scheme: dark" in text
    assert len(paths(ET.fromstring(text), "median")) == 7


@pytest.mark.parametrize(
    "name", ["one_shot", "failover", "follow", "watcher", "soak", "configuration"]
)
def test_every_bench_says_what_it_is(name: str) -> None:
    argv = [sys.executable, f"{ROOT}/bench/{name}.py", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)

    assert "usage" in done.stdout


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 2), (51, 3), (99, 4), (100, 4)], ids=lambda each: f"{each}"
)
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert measure.percentile([4, 1, 3, 2], percent) == value


@pytest.mark.parametrize(("value", "word"), [(1.5, "met"), (1.51, "MISSED")])
def test_a_goal_is_met_up_to_its_bound(value: float, word: str) -> None:
    assert measure.goal("against native", value, 1.5).split()[1] == word


def test_a_vault_of_the_stage_comes_back_at_its_address(tmp_path: object) -> None:
    with stage.Vault(str(tmp_path), "vault") as vault:
        address = vault.address
        vault.kill()
        vault.start()

        assert vault.address == address


@pytest.mark.slow
def test_a_watcher_of_the_stage_is_measured_while_it_runs(tmp_path: object) -> None:
    directory = str(tmp_path)
    heard: list[str] = []
    kacheck = Bench(stage.install(f"{directory}/env"), directory, {}).kacheck
    text = f'[check.process]\nprobe = "process"\nname = "{NAME}"\n'
    with stage.Watcher(kacheck, text, directory, heard.append) as watcher:
        whole, share = measure.memory_of(watcher.pid)

        assert measure.cpu_of(watcher.pid) > 0
        assert whole >= share > 1
    assert any("critical missing" in line for line in heard)
    assert any("was stopped" in line for line in heard)


@pytest.mark.slow
def test_a_watcher_that_does_not_start_gives_no_figure(tmp_path: object) -> None:
    directory = str(tmp_path)
    kacheck = Bench(stage.install(f"{directory}/env"), directory, {}).kacheck

    with pytest.raises(measure.UnexpectedError, match="does not become ready"):
        stage.Watcher(kacheck, "[check.x]\n", directory).__enter__()
