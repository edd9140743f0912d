"""Checks that an optional package is installed in a version that this package supports.

The ranges are those of ``pyproject.toml``, read from the metadata of the installed distribution; in a bare checkout there are none, and
any version is accepted. Packages are required where they are first needed, so that nobody has to install packages that he does not use.

>>> require("numpy", purpose="this example")
>>> require("no_such_module", extra="cli", purpose="this")
Traceback (most recent call last):
rellm_agents.errors.MissingExtra: this needs the module 'no_such_module', which is not installed: pip install 'rellm-agents[cli]', ...
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rellm_agents.errors import MissingExtra, UnfitVersion

DISTRIBUTION: Final = "rellm-agents"


def require(*modules: str, extra: str = "", purpose: str, versions: str = "") -> None:
    """Import modules of other packages, whose names are also those of their distributions.

    Args:
        *modules: e.g. ``"langchain_core"``, of the distribution ``langchain-core``.
        extra: the extra of this distribution that installs them; none for its own requirements.
        purpose: what they are needed for; the subject of the message.
        versions: the range that this purpose needs, such as ``">=1.8,<1.9"``, where it is narrower than that of this distribution.

    Raises:
        MissingExtra: one is not installed.
        UnfitVersion: the installed version of one is outside the range.
    """
    for module in modules:
        name = canonicalize_name(module)
        wanted, found = SpecifierSet(versions) if versions else ranges().get(name), installed_version(name)
        if wanted is not None and found is not None and not wanted.contains(found, prereleases=True):
            raise UnfitVersion(name, found, ",".join(sorted(map(str, wanted), reverse=True)), purpose=purpose)
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise MissingExtra(module, extra=extra, purpose=purpose) from error


@cache
def ranges() -> dict[str, SpecifierSet]:
    """The supported versions of each distribution, by canonical names."""
    try:
        found = [Requirement(line) for line in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        return {}
    return {canonicalize_name(one.name): one.specifier for one in reversed(found)}  # requirements without an extra come first, and win


def installed_version(name: str) -> str | None:
    """The version of an installed distribution; ``None`` if it is not installed or has no version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
