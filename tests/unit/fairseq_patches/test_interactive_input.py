"""What fairseq-interactive reads from a file: packed too, and what is no UTF-8 text is named."""

import gzip

import pytest

from swcm_fairseq.errors import SwcmError
from swcm_fairseq.fairseq_patches.interactive_input import buffered_read


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_lines_come_so_many_at_a_time(tmp_path, packed):
    path = tmp_path / "text"
    path.write_bytes(packed("\ufeff天气 \n\n 马\nend".encode("utf-8")))
    assert list(buffered_read(str(path), 2)) == [["天气", ""], ["马", "end"]]


@pytest.mark.parametrize(
    "data, says",
    [(b"a\nb\xff\n", "line 2 of .*text is not UTF-8"), (b"PK\x03\x04zip", "unzip"), (None, "no such file")],
)
def test_what_cannot_be_read_is_one_error(tmp_path, data, says):
    if data:
        (tmp_path / "text").write_bytes(data)
    with pytest.raises(SwcmError, match=says):
        list(buffered_read(str(tmp_path / "text"), 5))
