"""``data_path`` finds the data from a wheel, and from a checkout or an editable install."""

import runpy
import shutil
from pathlib import Path

import pytest

from rellm_agents import resources


def test_every_data_file_of_the_checkout_is_found():
    schemas = Path(__file__).resolve().parent.parent / "schemas"
    files = [path.relative_to(schemas) for path in schemas.rglob("*") if path.is_file()]
    for file in files:
        assert resources.data_path(file.as_posix()).read_bytes() == (schemas / file).read_bytes()


@pytest.mark.parametrize("place", ["rellm_agents/schemas", "schemas"], ids=["wheel", "checkout"])
def test_both_places_are_searched(place, tmp_path):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "a.json").write_text("1")
    assert data_path_installed_in(tmp_path)("a.json") == tmp_path / place / "a.json"


def test_the_wheel_s_own_data_goes_before_a_neighbour_s_folder_of_that_name(tmp_path):
    for place in ("rellm_agents/schemas", "schemas"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.json").write_text(place)
    assert data_path_installed_in(tmp_path)("a.json").read_text() == "rellm_agents/schemas"


def test_a_missing_file_is_refused_with_both_places(tmp_path):
    with pytest.raises(FileNotFoundError) as refusal:
        data_path_installed_in(tmp_path)("formats/none.json")
    assert str(tmp_path / "rellm_agents" / "schemas" / "formats" / "none.json") in str(refusal.value)
    assert str(tmp_path / "schemas" / "formats" / "none.json") in str(refusal.value)


def data_path_installed_in(site):
    """``data_path`` of a copy of the module that lies in ``site/rellm_agents``."""
    (site / "rellm_agents").mkdir(exist_ok=True)
    copy = shutil.copy(resources.__file__, site / "rellm_agents" / "resources.py")
    return runpy.run_path(str(copy))["data_path"]
