"""keepalived's faults by release: where they are found, and where not."""

import re
from pathlib import Path

import pytest

from helpers.doctor import FakeMachine, findings_with, sound_machine
from helpers.paths import CONFIGURATIONS, ROOT
from kacheck.doctor import features
from kacheck.doctor.context import Context
from kacheck.doctor.finding import Finding, Severity
from kacheck.doctor.kacheck.installation import Installation
from kacheck.doctor.machine import known_faults, new_keywords
from kacheck.doctor.machine.known_faults import FAULTS, FIRST, Fault
from kacheck.doctor.machine.new_keywords import SINCE, newer_than_installed
from kacheck.keepalived import load
from kacheck.keepalived.releases import OLDEST
from kacheck.keepalived.version import Version, version_of
from kacheck.migrate.equivalents import Mode, Paths
from kacheck.migrate.plan import MigrationOrder, rewritten

RECIPES = ROOT / "examples/keepalived.conf.d"
SAMPLES = sorted((CONFIGURATIONS / "migrate").glob("*.conf"))

DEBIAN_12 = Version(2, 2, 7)
DEBIAN_13 = Version(2, 3, 3)
MEMBERS_FILE = "unweighted_track_file_at_fixed_priority"
MEMBERS_SCRIPT = "unweighted_track_script_at_fixed_priority"


NOT_YET = newer_than_installed.code


def met(version: Version, used: set[str]) -> list[Finding]:
    """Return what a configuration with these features meets in that release."""
    pid_max = 4194304 if "large_pids" in used else 32768
    facts = sound_machine(version)._replace(pid_max=pid_max)
    return findings_with(facts, used, known_faults, new_keywords)


def used(path: Path) -> set[str]:
    """Return the features of a configuration."""
    installation = Installation("/no.toml", "/run/kacheck", {})
    return {*Context(str(path), load(str(path)), FakeMachine(), None, None, installation).features}


def codes(version: Version, features: set[str]) -> list[str]:
    return [finding.code.name for finding in met(version, features)]


def before(version: Version) -> Version:
    """Return a release just before; its patch number need not have existed."""
    if version.patch:
        return version._replace(patch=version.patch - 1)
    return Version(version.major, version.minor - 1, 99)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
class TestEachFault:
    def test_it_is_found_in_its_releases_with_the_feature(self, fault: Fault) -> None:
        last = before(fault.releases.fixed) if fault.releases.fixed else Version(2, 4, 3)
        assert fault.name in codes(fault.releases.since, set(fault.features))
        assert fault.name in codes(last, set(fault.features))

    def test_it_is_not_found_without_the_feature(self, fault: Fault) -> None:
        for missing in fault.features:
            assert fault.name not in codes(fault.releases.since, set(fault.features) - {missing})

    def test_it_is_not_met_in_other_releases(self, fault: Fault) -> None:
        if fault.releases.since > FIRST:
            assert fault.name not in codes(before(fault.releases.since), set(fault.features))
        if fault.releases.fixed:
            assert fault.name not in codes(fault.releases.fixed, set(fault.features))

    def test_it_says_what_why_and_what_cures_it_in_sentences(self, fault: Fault) -> None:
        (finding,) = (
            each
            for each in met(fault.releases.since, set(fault.features))
            if each.code == fault.code
        )
        for text in (finding.what, finding.why, finding.cure):
            assert re.fullmatch(r"[A-Za-z].+\.", text), text
        assert finding.file is None

    def test_its_explanation_names_the_releases_and_the_source(self, fault: Fault) -> None:
        text = fault.code.explanation
        assert fault.source in text
        assert str(fault.releases.fixed or "2.4.3 included") in text
        assert fault.code.severity > Severity.NOTE


@pytest.mark.parametrize(("feature", "first"), [(each, row[1]) for each, row in SINCE.items()])
def test_what_came_later_is_not_understood_before(feature: str, first: Version) -> None:
    (finding,) = (each for each in met(before(first), {feature}) if each.code == NOT_YET)
    assert str(first) in finding.why
    assert NOT_YET.name not in codes(first, {feature})
    assert NOT_YET.name not in codes(before(first), set())


@pytest.mark.parametrize(
    ("version", "features", "expected"),
    [
        (DEBIAN_12, {"track_process"}, []),
        (DEBIAN_12, {"track_process", "large_pids"}, []),
        (DEBIAN_12, {"track_process", "acting_fork_delay"}, ["KA134"]),
        (DEBIAN_12, {"vrrp_script"}, []),
        (DEBIAN_12, {"track_file", "track_file_block", "weight_reverse"}, []),
        (DEBIAN_12, {"use_symlink_paths"}, ["KA150"]),
        (DEBIAN_13, {"use_symlink_paths"}, []),
        (Version(2, 0, 10), {"track_process", "large_pids"}, ["KA150"]),
        (Version(2, 0, 19), {"track_process", "large_pids"}, ["KA130"]),
        (Version(2, 1, 3), {"track_process"}, ["KA131"]),
        (Version(2, 0, 20), {MEMBERS_FILE, MEMBERS_SCRIPT}, []),
        (Version(2, 1, 0), {MEMBERS_FILE, MEMBERS_SCRIPT}, ["KA140", "KA141"]),
        (Version(2, 1, 5), {MEMBERS_FILE, MEMBERS_SCRIPT}, ["KA140", "KA141"]),
        (Version(2, 2, 0), {MEMBERS_FILE, MEMBERS_SCRIPT}, ["KA140"]),
        (Version(2, 2, 1), {MEMBERS_FILE, MEMBERS_SCRIPT}, ["KA140"]),
        (Version(2, 2, 2), {MEMBERS_FILE, MEMBERS_SCRIPT}, []),
        (Version(2, 2, 4), {"foreign_script"}, []),
        (Version(2, 2, 5), {"foreign_script"}, ["KA144"]),
        (DEBIAN_12, {"foreign_script"}, ["KA144"]),
        (Version(2, 3, 1), {"foreign_script"}, ["KA144"]),
        (Version(2, 3, 2), {"foreign_script"}, ["KA145"]),
        (DEBIAN_13, {"foreign_script"}, []),
        (Version(2, 2, 4), {"vrrp_script"}, ["KA146"]),
        (Version(2, 2, 5), {"vrrp_script"}, []),
        (Version(2, 0, 20), {"track_process_in_sync_group"}, ["KA143"]),
        (Version(2, 1, 5), {"track_process_in_sync_group"}, ["KA143"]),
        (Version(2, 2, 0), {"track_process_in_sync_group"}, []),
    ],
)
def test_releases_that_people_have(
    version: Version, features: set[str], expected: list[str]
) -> None:
    assert codes(version, features) == expected


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.conf")), ids=lambda path: path.stem)
def test_a_recipe_needs_no_keepalived_newer_than_the_oldest_supported(path: Path) -> None:
    assert used(path)
    assert "KA150" not in codes(OLDEST, used(path))


@pytest.mark.parametrize("mode", ["watch", "script"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_migrate_writes_needs_no_keepalived_newer_than_the_oldest_supported(
    tmp_path: Path, path: Path, mode: Mode
) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    old = used(copy)
    configuration = load(str(copy))
    paths = Paths(str(tmp_path / "kacheck.toml"))
    rewritten(configuration, MigrationOrder(str(copy), mode, paths), OLDEST)
    for name, content in configuration.changed().items():
        Path(name).write_bytes(content)

    assert "KA150" not in codes(OLDEST, used(copy) - old)


def test_track_file_as_a_block_is_to_have_its_older_name() -> None:
    (finding,) = met(OLDEST, {"track_file_block"})

    assert finding.cure == (
        "Upgrade keepalived to 2.1.0 or later, or write vrrp_track_file, which has been known since"
        " 2.0.0."
    )


def test_no_features_meet_nothing() -> None:
    assert met(Version(2, 0, 0), set()) == []


def test_versions_are_compared_as_numbers() -> None:
    assert version_of("2.0.9") < version_of("2.0.10") < version_of("2.1.0")
    assert str(version_of("2.2.7")) == "2.2.7"


@pytest.mark.parametrize("text", ["", "2.2", "2.2.x", "2.2.7.1"])
def test_an_invalid_version_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        version_of(text)


def test_every_feature_of_the_table_is_explained_where_the_words_are() -> None:
    words = set().union(*(fault.features for fault in FAULTS)) | set(SINCE)
    assert features.__doc__ is not None
    missing = {word for word in words if not re.search(rf"\b{word}\b", features.__doc__)}
    assert missing == set()
