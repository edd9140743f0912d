"""The programs of README.md with what they print. As a script, it runs them with whatever package is installed, and needs nothing else."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
QUICK_STARTS: list[tuple[str, str]] = re.findall(r"```python\n((?!>>>).*?)```\n\n```text\n(.*?)```", README, re.DOTALL)


def run(program: str) -> None:
    """Run a program as a script of its own."""
    exec(compile(program, "README.md", "exec", dont_inherit=True), {})


if __name__ == "__main__":
    import rellm_agents

    print(f"with {Path(rellm_agents.__file__).parent}")
    for number, (program, printed) in enumerate(QUICK_STARTS, start=1):
        with contextlib.redirect_stdout(io.StringIO()) as caught:
            run(program)
        if caught.getvalue() != printed:
            sys.exit(f"quick start {number} of README.md printed {caught.getvalue()!r} instead of {printed!r}")
        print(f"quick start {number} of {len(QUICK_STARTS)} prints what stands below it")
    if not QUICK_STARTS:
        sys.exit("README.md has no quick start")
