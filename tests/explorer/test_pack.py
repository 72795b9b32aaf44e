"""What is packed is read back, once each, and the same every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosee.explorer.pack import Pack, packed_text, unpack_text


@given(st.lists(st.lists(st.integers(0, 255), max_size=9), max_size=6))
def test_arrays_come_back(lists):
    pack = Pack()
    read = unpack_text(pack.text({"all": [pack.add(values, "u1") for values in lists], "text": "×–<"}))
    assert [array.tolist() for array in read["all"]] == lists
    assert read["text"] == "×–<"


def test_every_kind_comes_back_with_missing_numbers():
    pack = Pack()
    written = {"u1": [255], "u2": [65535, 1], "i4": [-5, 2**31 - 1], "f4": [0.5, np.nan]}
    read = unpack_text(pack.text({kind: pack.add(values, kind) for kind, values in written.items()}))
    for kind, values in written.items():
        np.testing.assert_array_equal(read[kind], values)


def test_equal_arrays_are_stored_once():
    pack = Pack()
    assert pack.add([1, 2, 3], "u1") == pack.add(np.array([[1], [2], [3]]), "u1")
    assert pack.add([1, 2, 3], "u2") != pack.add([1, 2, 3], "u1")


@pytest.mark.parametrize(("values", "kind"), [([256], "u1"), ([-1], "u1"), ([1.5], "i4"), ([70000], "u2")])
def test_numbers_that_do_not_fit_are_refused(values, kind):
    with pytest.raises(ValueError, match="do not fit"):
        Pack().add(values, kind)


def test_the_same_content_gives_the_same_text():
    assert packed_text(b"plot") == packed_text(b"plot") != packed_text(b"plots")
