"""Whether a client's frames are masked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fastsio.engine.masks import MaskCheck

LENGTHS = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000])


def frame(length: int, *, is_masked: bool) -> bytes:
    """Build a frame, whose payload looks like heads without a mask."""
    bit = 0x80 if is_masked else 0
    if length < 126:
        head = bytes([0x81, bit | length])
    elif length < 1 << 16:
        head = bytes([0x81, bit | 126]) + length.to_bytes(2)
    else:
        head = bytes([0x81, bit | 127]) + length.to_bytes(8)
    return head + (b"\0\0\0\0" if is_masked else b"") + b"\x01" * length


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=5), LENGTHS, st.lists(st.integers(1, 80_000), max_size=10))
def test_the_first_frame_without_a_mask_is_found(good, bad, cuts):
    """In whatever pieces it comes, and what is in front of it counts."""
    before = b"".join(frame(length, is_masked=True) for length in good)
    stream = before + frame(bad, is_masked=False)
    check = MaskCheck()
    passed = 0

    for cut in [*cuts, len(stream)]:
        piece = stream[passed : passed + cut]
        found = check.feed(piece)
        if found is not None:
            # One byte of the head may have come with the piece before.
            assert passed + found in (len(before), len(before) + 1)
            return
        passed += len(piece)
        assert passed <= len(before) + 1

    raise AssertionError("not found")


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=3), st.integers(1, 5000))
def test_masked_frames_pass(lengths, size):
    """Byte by byte or in larger pieces."""
    stream = b"".join(frame(length, is_masked=True) for length in lengths)
    check = MaskCheck()

    assert {check.feed(stream[start : start + size]) for start in range(0, len(stream), size)} <= {None}
