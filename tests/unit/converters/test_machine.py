"""How many cores a process may use, from files as the kernel shows them."""

from __future__ import annotations

import os

import pytest

from converters.machine import GrantedCores, granted_cores


def root_with(tmp_path, groups, **files):
    """A system's root with these control groups; file names come with __ for / and _DOT_ for a dot."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def sixty_four_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(64)), raising=False)


def test_all_cores_where_nothing_limits_them(tmp_path):
    root = root_with(tmp_path, "0::/user\n", cpu_DOT_max="max 100000\n")
    assert granted_cores(root) == GrantedCores(64, 64, None)
    assert granted_cores(root).cores == 64


def test_the_cores_a_process_is_bound_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {3, 5, 8}, raising=False)
    assert granted_cores(tmp_path).cores == 3


def test_a_quota_of_version_2_counts_wherever_above_the_group_it_is_set(tmp_path):
    root = root_with(
        tmp_path, "0::/pod/box\n", pod__cpu_DOT_max="200000 100000\n", pod__box__cpu_DOT_max="max 100000"
    )
    assert granted_cores(root).quota == 2.0
    assert granted_cores(root).cores == 2


def test_inside_a_container_only_the_uppermost_group_is_there(tmp_path):
    root = root_with(tmp_path, "0::/somewhere/on/the/host\n", cpu_DOT_max="350000 100000\n")
    assert granted_cores(root).quota == 3.5
    assert granted_cores(root).cores == 3


def test_a_quota_of_version_1(tmp_path):
    files = {
        "cpu,cpuacct__box__cpu_DOT_cfs_quota_us": "50000",
        "cpu,cpuacct__box__cpu_DOT_cfs_period_us": "100000",
    }
    root = root_with(tmp_path, "5:memory:/box\n4:cpu,cpuacct:/box\n", **files)
    assert granted_cores(root).quota == 0.5
    assert granted_cores(root).cores == 1


@pytest.mark.parametrize("text", ["-1", "", "many", "1 2 3"])
def test_what_is_no_quota_limits_nothing(tmp_path, text):
    root = root_with(
        tmp_path,
        "4:cpu:/\n0::/\n",
        cpu__cpu_DOT_cfs_quota_us=text,
        cpu__cpu_DOT_cfs_period_us="100000",
        cpu_DOT_max=text,
    )
    assert granted_cores(root).quota is None


def test_this_machine():
    assert granted_cores().cores >= 1
