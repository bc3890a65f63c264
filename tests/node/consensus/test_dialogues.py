"""Each file in ``dialogues`` is a conversation with the core; what it says there must be what it says.

After a change that is meant: ``python -m simulator.dialogues`` in ``tests`` rewrites them; read the difference.
"""

from pathlib import Path

import pytest
from simulator.dialogues import Dialogue

FILES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dialogue(path: Path) -> None:
    text = path.read_text()
    assert Dialogue().run(text) == text


def test_the_dialogues_are_there() -> None:
    assert len(FILES) >= 15
